"""Composes a command line into a plan: every job, checked once, or every error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf

from digit_exp.config.composition.command_line import CommandLine, Job
from digit_exp.config.composition.listed_jobs import Rows
from digit_exp.config.composition.loader import (
    JobLoader,
    plain_mapping,
    publish,
    use_current_behaviour,
    with_values,
)
from digit_exp.config.overrides import override, written
from digit_exp.config.parse import from_mapping, leaves, merged, nested
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import RunConfig
from digit_exp.registry import ConfigError, Problem

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""What runs all combinations, unless another `hydra/sweeper` is chosen."""

GRID = "hydra_plugins.digit_exp_grid.GridSweeper"
"""What runs them as they were planned."""


@dataclass(frozen=True)
class Plan:
    """What a command line leads to: a single job, or all jobs of a sweep, in their order."""

    jobs: Sequence[RunConfig]
    is_sweep: bool
    launch: Mapping[str, Any]
    """The values of the first of them; with `resume`, and under `sweep` its settings."""
    loader: JobLoader
    """What Hydra reads it from."""
    choices: Sequence[str] = ()
    """The files that the first of them was composed of, and the settings of Hydra."""
    trials: int | None = None
    """How many jobs a search makes of its own; `jobs` are then what they have in common."""
    sampler: str | None = None
    """Who chooses the values of a search."""
    is_grid: bool = False
    """Whether the jobs are all combinations."""
    seeds: Sequence[int] = ()
    """Those that every candidate is trained with, if there are several."""

    @property
    def _composed(self) -> DictConfig:
        assert self.loader.composed is not None
        return self.loader.composed

    @property
    def hydra(self) -> dict[str, Any]:
        """Hydra's own part of the first of them."""
        return plain_mapping(self._composed.hydra)

    def problems_of(self, key: str, values: Sequence[object]) -> list[Problem]:
        """Return what is wrong with each value of a key of the first of them, if it has that."""
        found: list[Problem] = []
        for value in values if key in dict(leaves(self.launch, {})) else ():
            try:
                from_mapping(merged(self.launch, nested({key: value})))
            except ConfigError as error:
                found += [problem for problem in error.problems if problem.path == key]
        return found

    def set_hydra(self, settings: Mapping[str, Any]) -> None:
        """Set values of Hydra's own part, by their dotted keys."""
        for key, value in settings.items():
            OmegaConf.update(self._composed, key, value, merge=False, force_add=True)


def compose(
    overrides: Sequence[str], *, config_dir: str | None = None, multirun: bool = False
) -> Plan:
    """Return the jobs of a command line, or raise ConfigError with all that is wrong with them."""
    if config_dir is not None and not Path(config_dir).is_dir():
        raise ConfigError.at("--config-dir", f"there is no folder {config_dir!r}")
    command = CommandLine(job_loader(), config_dir)
    command.read(overrides, multirun)
    found = [command.check(job) for job in command.jobs()]
    of_jobs = _named_by_job([job.problems for job in found], command.rows)
    problems = [*command.problems, *command.loader.problems, *of_jobs]
    if problems := list(dict.fromkeys(problems)):
        raise ConfigError(*problems)
    return _planned(command, found)


def job_loader() -> JobLoader:
    """Return a loader that composes from the files of the package and the registered classes."""
    publish()
    use_current_behaviour()
    setup_globals()
    return JobLoader(create_config_search_path(str(conf_dir())), job_values)


def job_values(loader: JobLoader, words: Sequence[str]) -> dict[str, Any]:
    """Return the values of a job that a search has chosen, for its process to check."""
    command = CommandLine(loader, None)
    return command.values(command.parser.parse_overrides(list(words)), loader.settings)


def _planned(command: CommandLine, found: Sequence[Job]) -> Plan:
    """Return the jobs that were found, all right, and let Hydra's loader hand them out."""
    loader, first, sweeper = command.loader, found[0], command.sweeper
    assert command.composed is not None
    words = [  # as Hydra's parser and every sweeper read it
        f"{key}={','.join(written(one.value()) for one in each)}"
        for key, each in command.given.items()
    ]
    composed = with_values(command.composed, first.values, words)
    composed.hydra.job.override_dirname = _dirname(words, composed.hydra.job.config, command.parser)
    loader.composed, loader.settings = composed, command.settings.words
    trials = sweeper.get("n_trials") if command.is_sweep else None
    if trials is None:
        for job in found:
            words = [override(each.key_or_group, each.value()) for each in job.overrides]
            loader.planned.append(words)
            loader.jobs[tuple(words)] = job.values
    is_grid = sweeper["_target_"] == BASIC
    if is_grid:
        composed.hydra.sweeper._target_ = GRID
    choices, _ = command.choose(first.overrides, [])
    return Plan(
        [job.config for job in found if job.config],
        command.is_sweep,
        first.values,
        loader,
        [*choices, *loader.settings],
        trials,
        sweeper.get("sampler"),
        is_grid,
        command.seeds,
    )


def _named_by_job(problems: Sequence[Sequence[Problem]], rows: Rows) -> Iterator[Problem]:
    """Yield each problem once; one that not all jobs have says which jobs or rows have it."""
    jobs: dict[Problem, list[int]] = {}
    for number, found in enumerate(problems):
        for problem in dict.fromkeys(found):
            jobs.setdefault(problem, []).append(number)
    for problem, numbers in jobs.items():
        in_rows = sorted({number % len(rows.overrides) for number in numbers})
        if len(numbers) == len(problems):
            yield problem
        elif rows.words and len(numbers) == len(problems) // len(rows.overrides) * len(in_rows):
            yield Problem(problem.path, f"{problem.message} ({rows.label(in_rows)})")
        else:
            listed = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
            word = "job" if len(numbers) == 1 else f"{len(numbers)} jobs:"
            yield Problem(problem.path, f"{problem.message} ({word} {listed})")


def _dirname(words: Sequence[str], config: DictConfig, parser: OverridesParser) -> str:
    """Return what `hydra.job.override_dirname` stands for."""
    how = config.override_dirname
    found = parser.parse_overrides(list(words))
    kept = sorted(
        str(each.input_line) for each in found if each.key_or_group not in how.exclude_keys
    )
    return str(how.item_sep).join(kept).replace("=", how.kv_sep)
