"""A Hydra sweeper that searches: it asks Optuna for a batch of jobs and tells it the results.

A sweeper is a class of Hydra's. Optuna, which is slow to import, is imported when a search begins.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from digit_exp.config.composition.override_syntax import elements
from digit_exp.registry import ConfigError, Problem
from digit_exp.sweeps.search.space import categorical
from digit_exp.sweeps.search.storage import DEFAULT_STORAGE
from digit_exp.sweeps.worker_settings import VARIABLE, read_context

if TYPE_CHECKING:  # it imports NumPy
    from digit_exp.sweeps.search.study import Candidate, Study

log = logging.getLogger(__name__)

ABSENT = object()


@dataclass
class SearchSettings:
    """The node `hydra.sweeper` when `hydra/sweeper=optuna` is chosen."""

    _target_: str = "hydra_plugins.digit_exp_search.OptunaSweeper"
    sampler: str = "TPESampler"
    sampler_options: dict[str, Any] = field(default_factory=dict)
    n_trials: int = 20
    n_jobs: int | None = None
    seed: int | None = 42
    direction: str | None = None
    study_name: str | None = None
    storage: str = DEFAULT_STORAGE
    space: dict[str, Any] = field(default_factory=dict)


def register() -> None:
    """Offer `hydra/sweeper=optuna` to configurations."""
    ConfigStore.instance().store(
        group="hydra/sweeper", name="optuna", node=SearchSettings, provider="digit_exp"
    )


@dataclass(kw_only=True)
class SearchSweeper(Sweeper):
    """Asks, launches and tells, batch after batch, until `n_trials` jobs have ended."""

    sampler: str
    sampler_options: Mapping[str, Any]
    n_trials: int
    n_jobs: int | None
    seed: int | None
    direction: str | None
    study_name: str | None
    storage: str
    space: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.sampler_options, self.space = _plain(self.sampler_options), _plain(self.space)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run the jobs that the search still lacks and return the results of each batch."""
        from digit_exp.sweeps.search.study import Sampler, Study

        assert self.config is not None
        assert self.launcher is not None
        fixed, space, seeds = self._divide(arguments)
        self._write_down()
        returned: list[Sequence[JobReturn]] = []
        with Study(
            self.study_name or self._name(fixed, space, seeds),
            storage=self.storage,
            space=space,
            sampler=Sampler(self.sampler, self.seed, self.sampler_options),
            total=self.n_trials,
            direction=self.direction or "maximize",
            seeds=seeds,
        ) as study:
            if study.left < self.n_trials:
                done = self.n_trials - study.left
                what = "candidates" if seeds else "jobs"
                print(f"{done} of {self.n_trials} {what} were done before", flush=True)
            while not self._is_out_of_time() and (batch := study.ask(self._jobs_at_a_time())):
                results = self._launch(batch, fixed, seeds or [None])
                for place, candidate in enumerate(batch):
                    self._tell(study, candidate, results[place :: len(batch)])
                returned.append(results)
        return returned

    def _launch(
        self, batch: Sequence[Candidate], fixed: Sequence[str], seeds: Sequence[int | None]
    ) -> Sequence[JobReturn]:
        """Run the candidates with the first seed, then with the next ones."""
        assert self.launcher is not None
        jobs = [
            [
                *fixed,
                *(f"{key}={value}" for key, value in candidate.values.items()),
                *([] if seed is None else [f"seed={seed}"]),
            ]
            for seed in seeds
            for candidate in batch
        ]
        first = batch[0].place * len(seeds)
        results: Sequence[JobReturn] = self.launcher.launch(jobs, initial_job_idx=first)
        for number, result in enumerate(results, first):
            if result.status is JobStatus.FAILED and not self._is_out_of_time():
                log.error("job %d failed: %s", number, _reason(result))
        return results

    def _tell(self, study: Study, candidate: Candidate, results: Sequence[JobReturn]) -> None:
        """Tell the search the mean over the seeds; a job that a race dropped returns None."""
        if any(result.status is JobStatus.FAILED for result in results):
            study.tell_error(candidate)
            return
        values = [_objective(result) for result in results if result.return_value is not None]
        study.tell(candidate, fmean(values) if values else None)

    def _divide(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, Any], list[int]]:
        """Return the overrides of all jobs, the space as the command line leaves it, the seeds.

        A candidate with several seeds is trained with each of them.
        """
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(list(arguments))
        swept = {each.key_or_group: each for each in overrides if each.is_sweep_override()}
        fixed = {each.key_or_group: each for each in overrides if not each.is_sweep_override()}
        listed = self.elements(swept.pop("seed"), parser) if "seed" in swept else []
        space = self._searchable(fixed, swept)
        for key, each in swept.items():
            if isinstance(drawn := each.value(), IntervalSweep):
                space[key] = _range(drawn)
                continue
            space[key] = categorical([one.value() for one in self.elements(each, parser)])
        if not space:
            raise ConfigError.at("hydra.sweeper.space", "is empty: nothing is searched")
        seeds = list(dict.fromkeys(int(str(one.value())) for one in listed))
        return [str(each.input_line) for each in fixed.values()], space, seeds

    def elements(self, found: Override, parser: OverridesParser) -> list[Override]:
        """Return the values of a sweep one by one."""
        return elements(found, parser)

    def _searchable(
        self, fixed: Mapping[str, Override], swept: Mapping[str, Override]
    ) -> dict[str, Any]:
        """Return the entries of the space that jobs have and that the command line leaves open."""
        assert self.config is not None
        space, problems = {}, []
        for key, entry in self.space.items():
            group = key.partition(".")[0]
            if key in fixed or key in swept:
                continue
            known = OmegaConf.select(self.config, key, default=ABSENT) is not ABSENT
            if known or group in swept or group in self.space:
                space[key] = entry
            elif group in fixed:  # the space was written for another choice
                log.info("%s is not searched: %s does not have it", key, fixed[group].input_line)
            else:
                problems.append(Problem(key, "is in the search space, but there is no such key"))
        if problems:
            raise ConfigError(*problems)
        return space

    def _is_out_of_time(self) -> bool:
        assert self.config is not None
        text = OmegaConf.select(self.config, f"hydra.job.env_set.{VARIABLE}")
        return text is not None and read_context(text).is_out_of_time

    def _jobs_at_a_time(self) -> int:
        """Return `n_jobs`, or else that of the launcher: a joblib of -1 takes every core."""
        assert self.config is not None
        jobs = self.n_jobs or OmegaConf.select(self.config, "hydra.launcher.n_jobs") or 1
        return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)

    def _name(self, fixed: Sequence[str], space: Mapping[str, Any], seeds: Sequence[int]) -> str:
        """Return a name that the same search has whenever it is started."""
        own = [sorted(fixed), space, self.direction, self.seed, *seeds]
        content = json.dumps(own, sort_keys=True)
        return f"{self.sampler}-{sha256(content.encode()).hexdigest()[:8]}"

    def _write_down(self) -> None:
        """Leave the configuration in the sweep's folder, as Hydra's own sweeper does."""
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")


def _range(said: IntervalSweep) -> dict[str, Any]:
    """Return the entry of a space for a range such as `tag(log,interval(0.1,10))`."""
    is_whole = all(isinstance(end, int) for end in (said.start, said.end))
    kind = "int" if is_whole else "float"
    return {"type": kind, "low": said.start, "high": said.end, "log": "log" in said.tags}


def _plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Hydra hands over as its own kind of mapping, lists within included."""
    plain: Any = OmegaConf.to_container(OmegaConf.create(dict(mapping)), resolve=True)
    return dict(plain)


def _objective(result: JobReturn) -> float:
    value = result.return_value
    return float(value) if isinstance(value, int | float) else math.nan


def _reason(result: JobReturn) -> object:
    try:
        return result.return_value
    except Exception as error:  # which is how Hydra hands it over
        return error
