"""Sweepers for any Hydra application: a search and a grid, which compare their jobs at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from digit_exp.analysis.objective import Objective
from digit_exp.atomic import write_text
from digit_exp.jobs.settings import (
    RACE,
    AnyGridSettings,
    AnySearchSettings,
    objective_of,
    pruner_of,
)
from digit_exp.registry import ConfigError
from digit_exp.sweeps.search.storage import DEFAULT_STORAGE
from digit_exp.sweeps.search.sweeper import SearchSweeper
from digit_exp.tracking.mlflow.uri import STORAGE_ENVIRONMENT

if TYPE_CHECKING:  # it imports Optuna and NumPy
    from digit_exp.sweeps.search.study import Candidate

FOLDER = {"dir": "sweeps/${hydra.job.name}", "subdir": "hydra/${hydra.job.num}"}
"""Without a date, so that the same command finds its jobs again."""


def register() -> None:
    """Offer `hydra/sweeper=digit_exp_search` and `digit_exp_grid` to every application."""
    for name, node in (("search", AnySearchSettings), ("grid", AnyGridSettings)):
        ConfigStore.instance().store(
            group="hydra/sweeper",
            name=f"digit_exp_{name}",
            node={"sweeper": node, "sweep": FOLDER},
            package="hydra",
            provider="digit_exp",
        )


@dataclass(kw_only=True)
class Search(SearchSweeper):
    """Searches the space of any application; `seed=1,2,3` trains each candidate with every seed."""

    metric: str
    pruner: Mapping[str, object]
    race: bool

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        if self.storage == DEFAULT_STORAGE and STORAGE_ENVIRONMENT not in os.environ:
            self.storage = f"sqlite:///{config.hydra.sweep.dir}/optuna.db"

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run the search and compare its jobs, however it ends."""
        with _compared(self.config, self.metric, self.direction, self.pruner):
            return super().sweep(arguments)

    def _launch(
        self, batch: Sequence[Candidate], fixed: Sequence[str], seeds: Sequence[int | None]
    ) -> Sequence[JobReturn]:
        assert self.config is not None
        if self.race and len(seeds) > 1:
            told = json.dumps({"seeds": list(seeds), "candidates": self.n_trials})
            write_text(Path(self.config.hydra.sweep.dir) / RACE, told)
        return super()._launch(batch, fixed, seeds)

    def elements(self, found: Override, parser: OverridesParser) -> list[Override]:
        """Return the values of a sweep one by one."""
        key = found.get_key_element()
        return parser.parse_overrides([f"{key}={text}" for text in found.sweep_string_iterator()])


class Grid(BasicSweeper):
    """Hydra's own sweeper, which compares its jobs at the end."""

    def __init__(
        self,
        *,
        metric: str,
        direction: str,
        pruner: Mapping[str, object],
        max_batch_size: int | None,
        params: dict[str, str] | None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.said = metric, direction, pruner

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run all combinations and compare the jobs, however they end."""
        with _compared(self.config, *self.said):
            found: list[Sequence[JobReturn]] = super().sweep(arguments)
        return found


@contextmanager
def _compared(
    config: DictConfig | None, metric: str, direction: str | None, pruner: Mapping[str, object]
) -> Iterator[None]:
    """Refuse wrong settings before the first job, and compare the jobs at the end."""
    assert config is not None
    try:
        objective = objective_of(metric, direction)
        pruner_of(pruner)
        try:
            yield
        finally:
            _compare(Path(config.hydra.sweep.dir), objective)
    except ConfigError as error:  # Hydra shows a traceback of what it does not know
        raise CompactHydraException(str(error)) from error


def _compare(folder: Path, objective: Objective) -> None:
    """Print the ranking and write `ranking.json`."""
    from digit_exp.jobs.comparison import lines, plain, ranking_in

    if (ranking := ranking_in(folder, objective)) is None:
        return
    file = write_text(folder / "ranking.json", json.dumps(plain(ranking), indent=2) + "\n")
    print("", lines(ranking), "", f"the same as JSON: {file}", sep="\n", flush=True)
