"""What a command line leads to: every job composed once, checked as a whole, or every error.

The choices of groups are composed as Hydra would; every value is then set without asking, and
`from_mapping` says what is wrong with the whole. So a mistake reads the same whether it was made
in a file or on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from hydra import version
from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from digit_exp.config.composition.loader import JobLoader, with_values
from digit_exp.config.composition.settings import Settings, differing, settings_problems
from digit_exp.config.hydra_schema import plain_mapping, publish
from digit_exp.config.overrides import override, typed, written
from digit_exp.config.parse import GROUPS, from_mapping, leaves
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import FAMILIES, PRESETS, RunConfig
from digit_exp.config.words import WrongWord, elements, misuse, read_word, unknown_choice
from digit_exp.registry import ConfigError, Problem

CHOICES = [*GROUPS, *PRESETS]
"""The groups of which a command line names one file each."""

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""What runs all combinations, unless another `hydra/sweeper` is chosen."""

NO_COMPOSITION = (HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError)
"""How a file that cannot be used ends a composition."""

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
        *parents, last = key.split(".")
        for value in values:
            mapping = node = deepcopy(dict(self.launch))
            for parent in parents:
                node = node.get(parent, {})
            if not parents or last not in node:
                return []
            node[last] = value
            try:
                from_mapping(mapping)
            except ConfigError as error:
                found += [problem for problem in error.problems if problem.path == key]
        return found

    def set_hydra(self, settings: Mapping[str, Any]) -> None:
        """Set values of Hydra's own part, by their dotted keys."""
        for key, value in settings.items():
            OmegaConf.update(self._composed, key, value, merge=False, force_add=True)


def check(
    overrides: Sequence[str], *, config_dir: str | None = None, multirun: bool = False
) -> list[Problem]:
    """Return everything that is wrong with a command line; of a sweep, with every job."""
    try:
        plan(overrides, config_dir=config_dir, multirun=multirun)
    except ConfigError as error:
        return list(error.problems)
    return []


def plan(
    overrides: Sequence[str], *, config_dir: str | None = None, multirun: bool = False
) -> Plan:
    """Return the jobs of a command line, or raise ConfigError with all that is wrong with them."""
    if config_dir is not None and not Path(config_dir).is_dir():
        raise ConfigError(Problem("--config-dir", f"there is no folder {config_dir!r}"))
    command = _CommandLine(job_loader(), config_dir)
    command.read(overrides, multirun)
    found = [command.check(job) for job in command.jobs()]
    of_jobs = _named_by_job([job.problems for job in found])
    problems = [*command.problems, *command.loader.problems, *of_jobs]
    if problems := list(dict.fromkeys(problems)):
        raise ConfigError(*problems)
    return command.plan(found)


def job_loader() -> JobLoader:
    """Return a loader that composes from the files of the package and the registered classes."""
    publish()
    version.setbase("1.3")
    setup_globals()
    return JobLoader(create_config_search_path(str(conf_dir())))


def job_values(loader: JobLoader, words: Sequence[str]) -> dict[str, Any]:
    """Return the values of a job that a search has chosen, for its process to check."""
    command = _CommandLine(loader, None)
    parsed = loader_parser(loader).parse_overrides(list(words))
    return command.values(parsed, loader.settings)


def loader_parser(loader: JobLoader) -> OverridesParser:
    """Return Hydra's parser of overrides, which looks for the files that `glob(...)` names."""
    return OverridesParser.create(config_loader=loader)


def _named_by_job(problems: Sequence[Sequence[Problem]]) -> Iterator[Problem]:
    """Yield each problem once; one that not all jobs have says which jobs have it."""
    jobs: dict[Problem, list[int]] = {}
    for number, found in enumerate(problems):
        for problem in dict.fromkeys(found):
            jobs.setdefault(problem, []).append(number)
    for problem, numbers in jobs.items():
        if len(numbers) == len(problems):
            yield problem
        else:
            listed = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
            word = "job" if len(numbers) == 1 else f"{len(numbers)} jobs:"
            yield Problem(problem.path, f"{problem.message} ({word} {listed})")


class _Job(NamedTuple):
    """One job of a command line, as it was read."""

    overrides: Sequence[Override]
    config: RunConfig | None
    values: dict[str, Any]
    problems: list[Problem]


class _CommandLine:
    """The overrides of one command, with the problems found in them."""

    def __init__(self, loader: JobLoader, config_dir: str | None) -> None:
        self.problems: list[Problem] = []
        self.is_sweep = False
        self.loader = loader
        self._parser = loader_parser(loader)
        self._settings = Settings(loader, config_dir)
        self._hydra: DictConfig | None = None  # what was composed first, with Hydra's own part
        self._sweeper: dict[str, Any] = {}
        self._settings_problems: list[Problem] = []
        self._values: dict[str, list[Override]] = {}  # what each key stands for, the last one said
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def read(self, words: Sequence[str], multirun: bool) -> None:
        """Read the words one by one, those of a sweep into their elements."""
        said = self._read_words(words)
        values = [found for found in said if not found.is_hydra_override()]
        for found in said:
            if found.is_hydra_override():
                self.problems += self._settings.add(found)
        self._compose_first(values)
        mode = None if self._hydra is None else self._hydra.hydra.mode
        self.is_sweep = multirun or mode == RunMode.MULTIRUN
        is_search = self.is_sweep and "n_trials" in self._sweeper
        params = self._sweeper.get("params") or {} if self.is_sweep else {}
        named = self._read_words([f"{key}={text}" for key, text in params.items()])
        for found in [*named, *values]:
            problem = misuse(found, self.is_sweep, is_search)
            if problem is not None:
                self.problems.append(problem)
            else:
                self._values[found.key_or_group] = elements(found, self._parser)

    def _read_words(self, words: Sequence[str]) -> list[Override]:
        found: list[Override] = []
        for word in words:
            try:
                found.append(read_word(word, self._parser))
            except WrongWord as wrong:
                self.problems.append(wrong.problem)
        return found

    def _compose_first(self, values: Sequence[Override]) -> None:
        """Compose the first choice of every group, to learn what Hydra is told by files."""
        groups = [each for each in values if each.key_or_group in CHOICES and not each.is_delete()]
        first = [one for each in groups for one in elements(each, self._parser)[:1]]
        choices, _ = self._choose(first, [])
        try:
            self._hydra = self._compose(choices)
        except NO_COMPOSITION:
            if problems := self._settings.unknown():
                self.problems += problems
                self._settings.forget()
                self._compose_first(values)
            return  # `check` says what is wrong with a file
        self._sweeper = plain_mapping(self._hydra.hydra)["sweeper"]
        self.problems += [*settings_problems(self._hydra.hydra), *self._settings_problems]

    def jobs(self) -> Iterator[Sequence[Override]]:
        """Yield the jobs in the order in which Hydra runs them, the last key varying fastest."""
        return product(*self._values.values())

    def check(self, job: Sequence[Override]) -> _Job:
        """Compose a single run and read it."""
        problems: list[Problem] = []
        choices, values = self._choose(job, problems)
        try:
            composed = self._compose(choices)
        except NO_COMPOSITION as error:
            return _Job(job, None, {}, [*problems, _reason(error)])
        if self._hydra is not None and not self.problems:
            problems += differing(self._hydra.hydra, composed.hydra)
        mapping = _values(composed)
        for found in values:
            _set(mapping, found, problems)
        try:
            return _Job(job, from_mapping(mapping, self.is_sweep), mapping, problems)
        except ConfigError as error:
            return _Job(job, None, mapping, [*problems, *error.problems])

    def values(self, job: Sequence[Override], settings: Sequence[str]) -> dict[str, Any]:
        """Return the values of a job, unchecked."""
        self._settings.words = list(settings)
        choices, values = self._choose(job, [])
        mapping = _values(self._compose(choices))
        for found in values:
            _set(mapping, found, [])
        return mapping

    def plan(self, found: Sequence[_Job]) -> Plan:
        """Return the jobs that were found, all right, and let Hydra's loader hand them out."""
        first, loader = found[0], self.loader
        words = [
            override(key, each[0].value())
            if len(each) == 1
            else f"{key}={','.join(written(one.value()) for one in each)}"
            for key, each in self._values.items()
        ]
        assert self._hydra is not None
        composed = with_values(self._hydra, first.values, words)
        composed.hydra.job.override_dirname = _dirname(
            words, composed.hydra.job.config, self._parser
        )
        loader.composed, loader.settings = composed, self._settings.words
        trials = self._sweeper.get("n_trials") if self.is_sweep else None
        if trials is None:
            loader.planned = [
                [override(each.key_or_group, each.value()) for each in job.overrides]
                for job in found
            ]
            loader.jobs = {
                tuple(words): job.values for words, job in zip(loader.planned, found, strict=True)
            }
        is_grid = self._sweeper["_target_"] == BASIC
        if is_grid:
            composed.hydra.sweeper._target_ = GRID
        choices, _ = self._choose(first.overrides, [])
        return Plan(
            [job.config for job in found if job.config],
            self.is_sweep,
            first.values,
            loader,
            [*choices, *self._settings.words],
            trials,
            self._sweeper.get("sampler"),
            is_grid,
        )

    def _choose(
        self, job: Sequence[Override], problems: list[Problem]
    ) -> tuple[list[str], list[Override]]:
        """Return the choices of groups that exist and the values that are not below a wrong one."""
        choices: list[str] = []
        refused: set[str] = set()
        values: list[Override] = []
        for found in job:
            group, choice = found.key_or_group, found.value()
            if group not in CHOICES or isinstance(choice, dict):
                values.append(found)
            elif choice in (options := self._settings.options(group)):
                choices.append(f"{group}={choice}")
                problems += _superfluous_plus(found)
            else:
                problems.append(unknown_choice(group, choice, options))
                # Values below it are judged by the choice that was probably meant, if any.
                if near := get_close_matches(str(choice), options, n=1):
                    choices.append(f"{group}={near[0]}")
                else:
                    refused.add(group)
        kept = [value for value in values if value.key_or_group.partition(".")[0] not in refused]
        return choices, kept

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        key = tuple(choices)
        if key not in self._composed:
            composed = self.loader.compose([*choices, *self._settings.words])
            self._settings_problems = [*self._settings.complete(composed.hydra)]
            self._composed[key] = composed
        return self._composed[key]


def _values(composed: DictConfig) -> dict[str, Any]:
    """Return what was composed, without Hydra's own part."""
    found = plain_mapping(composed)
    del found["hydra"]
    return found


def _reason(error: Exception) -> Problem:
    """Return the cause of a composition that failed, in one line."""
    texts = [str(cause) for cause in (error, error.__cause__) if cause is not None]
    said, *_ = next((text for text in texts if text.strip()), "").strip().split("\n\n")
    return Problem("", " ".join(said.split()))


def _dirname(words: Sequence[str], config: DictConfig, parser: OverridesParser) -> str:
    """Return what `hydra.job.override_dirname` stands for."""
    how = config.override_dirname
    parsed = parser.parse_overrides(list(words))
    return get_overrides_dirname(parsed, list(how.exclude_keys), how.item_sep, how.kv_sep)


def _superfluous_plus(found: Override) -> Iterator[Problem]:
    """Yield that a `+` before a key that exists is one too many."""
    if found.is_add() or found.is_force_add():
        key = found.key_or_group
        yield Problem(key, f"is there already; write {typed(override(key, found.value()))}")


def _set(mapping: dict[str, Any], found: Override, problems: list[Problem]) -> None:
    """Set a value, or each of a mapping, whether or not there is such a key."""
    for path, value in leaves({found.key_or_group: found.value()}, {}):
        *parents, last = path.split(".")
        if last == "name" and parents and parents[0] in FAMILIES:
            message = f"cannot be set; write {typed(override(parents[0], value))}"
            problems.append(Problem(path, message))
            continue
        node = mapping
        for parent in parents:
            if not isinstance(node.get(parent), dict):
                node[parent] = {}
            node = node[parent]
        if last in node:
            problems += _superfluous_plus(found)
        node[last] = value
