"""The check of a command line, before Hydra runs and before anything slow is imported.

The choices of groups are composed as Hydra would; every value is then set without asking, and
`from_mapping` says what is wrong with the whole. So a mistake reads the same whether it was made
in a file or on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from digit_exp.config.errors import misuse, superfluous_plus, unknown_choice, unreadable
from digit_exp.config.hydra_schema import plain_mapping, publish
from digit_exp.config.parse import GROUPS, from_mapping, leaves
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import FAMILIES, PRESETS, RunConfig
from digit_exp.config.trust import refused
from digit_exp.registry import ConfigError, Problem

CHOICES = [*GROUPS, *PRESETS]
"""The groups of which a command line names one file each."""

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""What runs all combinations, unless another `hydra/sweeper` is chosen."""

EXTRAS = {"ray": "ray", "submitit_local": "slurm", "submitit_slurm": "slurm"}
"""Launchers, with the extra of this package that installs each."""


@dataclass(frozen=True)
class Plan:
    """What a command line leads to: a single job, or all jobs of a sweep, in their order."""

    jobs: Sequence[RunConfig]
    is_sweep: bool
    launch: Mapping[str, Any]
    """The first of them as it was composed; with `resume`, and under `sweep` its settings."""
    trials: int | None = None
    """How many jobs a search makes of its own; `jobs` are then what they have in common."""
    sampler: str | None = None
    """Who chooses the values of a search."""
    is_grid: bool = False
    """Whether the jobs are those of Hydra's own sweeper: all combinations."""


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
    publish()
    with _hydra() as loader:
        command = _CommandLine(loader, config_dir)
        command.read(overrides, multirun)
        found = [command.check(job) for job in command.jobs()]
    if problems := [*command.problems, *_named_by_job([job.problems for job in found])]:
        raise ConfigError(*problems)
    jobs = [job.config for job in found if job.config]
    return Plan(
        jobs,
        command.is_sweep,
        found[0].values,
        command.trials,
        command.sampler,
        command.sweeper == BASIC,
    )


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


@contextmanager
def _hydra() -> Iterator[ConfigLoader]:
    """Start Hydra for composing, and leave it as it was."""
    hydra = GlobalHydra.instance()
    active = hydra.hydra
    hydra.clear()
    try:
        with initialize_config_dir(str(conf_dir()), job_name="digit_exp", version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = active


class _Job(NamedTuple):
    """One job of a command line, as it was read."""

    config: RunConfig | None
    values: dict[str, Any]
    problems: list[Problem]


class _CommandLine:
    """The overrides of one command, with the problems found in them."""

    def __init__(self, loader: ConfigLoader, config_dir: str | None) -> None:
        self.problems: list[Problem] = []
        self._parser = OverridesParser.create(config_loader=loader)
        self._loader = loader
        self._folders = [] if config_dir is None else [f"file://{Path(config_dir).resolve()}"]
        self.is_sweep = False
        self.trials: int | None = None
        self.sampler: str | None = None
        self.sweeper: str | None = None
        self._values: dict[str, list[Override]] = {}  # what each key stands for, the last one said
        self._known: dict[str, list[str]] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._settings: list[str] = []  # groups of Hydra's own, such as its launcher

    def read(self, texts: Sequence[str], multirun: bool) -> None:
        """Parse overrides one by one, those of a sweep into their elements."""
        named: list[str] = []
        if multirun or any(text.startswith("sweep=") for text in texts):
            hydra = self._sweeping(texts)
            self.is_sweep = multirun or hydra.mode == RunMode.MULTIRUN
            self.trials = hydra.sweeper.get("n_trials")
            self.sampler = hydra.sweeper.get("sampler")
            self.sweeper = hydra.sweeper.get("_target_")
            named = [f"{key}={text}" for key, text in (hydra.sweeper.get("params") or {}).items()]
        for text in [*named, *texts]:
            try:
                (override,) = self._parser.parse_overrides([text])
            except HydraException:
                override = None
            if override is None or not override.key_or_group:
                self.problems.append(unreadable(text))
                continue
            if override.is_hydra_override():
                self._follow(override)
            elif (problem := misuse(override, self.is_sweep)) is not None:
                self.problems.append(problem)
            else:
                self._values[override.key_or_group] = self._elements(override)

    def _sweeping(self, texts: Sequence[str]) -> DictConfig:
        """Return Hydra's own node: what a named search, and the settings of Hydra, make of it."""
        named = [text for text in texts if text.startswith("sweep=")]
        known = [text for text in named if text[6:] in self._options("sweep")]
        settings = [
            text
            for text in texts
            if text.lstrip("+~").startswith(("hydra.", "hydra/"))
            and self._unknown_setting(*text.split("=", 1)) is None
        ]
        overrides = [*known, *settings, *self._searching()]
        found: DictConfig
        try:
            found = compose("config", overrides, return_hydra_config=True).hydra
        except (HydraException, OmegaConfBaseException) as error:
            reason, *_ = str(error).strip().split("\n\n")
            self.problems.append(Problem("", " ".join(reason.split())))
            found = compose("config", return_hydra_config=True).hydra
        return found

    def _follow(self, override: Override) -> None:
        """Look for files where Hydra will; the rest of its own settings is its own affair."""
        folders = override.value()
        if override.key_or_group == "hydra.searchpath" and isinstance(folders, list):
            self._folders += folders
        elif override.key_or_group.startswith("hydra/"):
            text = str(override.input_line)
            problem = self._unknown_setting(*text.split("=", 1))
            if problem is None:
                self._settings.append(text)
            else:
                self.problems.append(problem)

    def _unknown_setting(self, group: str, choice: str = "") -> Problem | None:
        """Return what is wrong with a choice in a group of Hydra's own, such as its launcher."""
        if not group.startswith("hydra/") or choice in (options := self._options(group)):
            return None
        if group == "hydra/launcher" and choice in EXTRAS:
            needed = f"pip install 'digit-exp[{EXTRAS[choice]}]'"
            return Problem(group, f"{choice} is not installed; {needed} brings it")
        return unknown_choice(group, choice, options)

    def _elements(self, override: Override) -> list[Override]:
        if not override.is_sweep_override():
            return [override]
        key = override.get_key_element()
        texts = [f"{key}={element}" for element in override.sweep_string_iterator()]
        return self._parser.parse_overrides(texts)

    def jobs(self) -> Iterator[Sequence[Override]]:
        """Yield the jobs in the order in which Hydra runs them, the last key varying fastest."""
        return product(*self._values.values())

    def check(self, job: Sequence[Override]) -> _Job:
        """Compose a single run and read it."""
        problems: list[Problem] = []
        choices, values = self._choose(job, problems)
        try:
            mapping = self._compose(choices)
            problems += self._foreign(choices, mapping)
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            reason, *_ = (str(error) or str(error.__cause__)).strip().split("\n\n")
            return _Job(None, {}, [*problems, Problem("", " ".join(reason.split()))])
        for override in values:
            _set(mapping, override, problems)
        try:
            return _Job(from_mapping(mapping), mapping, problems)
        except ConfigError as error:
            return _Job(None, mapping, [*problems, *error.problems])

    def _choose(
        self, job: Sequence[Override], problems: list[Problem]
    ) -> tuple[list[str], list[Override]]:
        """Return the choices of groups that exist and the values that are not below a wrong one."""
        choices: list[str] = []
        refused: set[str] = set()
        values: list[Override] = []
        for override in job:
            group, choice = override.key_or_group, override.value()
            if group not in CHOICES or isinstance(choice, dict):
                values.append(override)
            elif choice in (options := self._options(group)):
                choices.append(f"{group}={choice}")
                problems += superfluous_plus(override)
            else:
                problems.append(unknown_choice(group, choice, options))
                # Values below it are judged by the choice that was probably meant, if any.
                if near := get_close_matches(str(choice), options, n=1):
                    choices.append(f"{group}={near[0]}")
                else:
                    refused.add(group)
        kept = [value for value in values if value.key_or_group.partition(".")[0] not in refused]
        return choices, kept

    def _options(self, group: str) -> list[str]:
        if group not in self._known:
            options = self._loader.get_group_options(
                group, config_name="config", overrides=self._searching()
            )
            self._known[group] = [option for option in options if option != "schema"]
        return self._known[group]

    def _compose(self, choices: Sequence[str]) -> dict[str, Any]:
        key = tuple(choices)
        if key not in self._composed:
            self._composed[key] = compose("config", [*choices, *self._searching()])
        return plain_mapping(self._composed[key])

    def _foreign(self, choices: Sequence[str], mapping: Mapping[str, Any]) -> list[Problem]:
        """Return what the files of other folders say and must not."""
        if not self._folders:
            return []
        known = [f"{group}={name}" for group in CHOICES for name in _shipped(group)]
        bare = [choice for choice in choices if choice in known and choice.split("=")[0] != "sweep"]
        texts = [*choices, *self._settings, *self._searching()]
        found = compose("config", texts, return_hydra_config=True).hydra
        own = compose("config", bare, return_hydra_config=True).hydra
        return [*refused(mapping, plain_mapping(found), plain_mapping(own))]

    def _searching(self) -> list[str]:
        return [f"hydra.searchpath={self._folders}"] if self._folders else []


def _shipped(group: str) -> list[str]:
    return [file.stem for file in (conf_dir() / group).glob("*.yaml")]


def _set(mapping: dict[str, Any], override: Override, problems: list[Problem]) -> None:
    """Set a value, or each of a mapping, whether or not there is such a key."""
    for path, value in leaves({override.key_or_group: override.value()}, {}):
        *parents, last = path.split(".")
        if last == "name" and parents and parents[0] in FAMILIES:
            message = f"cannot be set; write {parents[0]}={value}"
            problems.append(Problem(path, message))
            continue
        node = mapping
        for parent in parents:
            if not isinstance(node.get(parent), dict):
                node[parent] = {}
            node = node[parent]
        if last in node:
            problems += superfluous_plus(override)
        node[last] = value
