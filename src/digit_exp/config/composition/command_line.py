"""A command line: the jobs that it makes, each composed and checked.

The choices of groups are composed by Hydra. Values are then set unchecked, and `from_mapping`
checks the result. So a mistake has the same message in a file and on the command line.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import product
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from digit_exp.config.composition.hydra_settings import Settings, differing, settings_problems
from digit_exp.config.composition.listed_jobs import JOBS, ZIP, Rows, read_rows, row_problem
from digit_exp.config.composition.loader import JobLoader, plain_mapping
from digit_exp.config.composition.override_syntax import (
    elements,
    misuse,
    read_word,
    unknown_choice,
    wrong_replicates,
)
from digit_exp.config.overrides import override, typed
from digit_exp.config.parse import GROUPS, from_mapping, leaves
from digit_exp.config.schema import FAMILIES, PRESETS, RunConfig
from digit_exp.config.serialize import unused
from digit_exp.registry import ConfigError, Problem

CHOICES = [*GROUPS, *PRESETS]
"""The groups of which a command line names one file each."""

MERGING = "Error merging override "
"""How Hydra begins to say that a value has the wrong type, before the override."""

NO_COMPOSITION = (HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError)
"""What composing raises if a file cannot be used."""


class Job(NamedTuple):
    """One job of a command line."""

    overrides: Sequence[Override]
    config: RunConfig | None
    values: dict[str, Any]
    problems: list[Problem]


class CommandLine:
    """The overrides of one command, with the problems found in them."""

    def __init__(self, loader: JobLoader, config_dir: str | None) -> None:
        self.problems: list[Problem] = []
        self.is_sweep = False
        self.seeds: list[int] = []  # of a sweep whose jobs are to be replicated
        self.loader = loader
        self.parser = OverridesParser.create(config_loader=loader)
        self.settings = Settings(loader, config_dir)
        self.composed: DictConfig | None = None  # what was composed first, with Hydra's own part
        self.sweeper: dict[str, Any] = {}
        self._settings_problems: list[Problem] = []
        self.given: dict[str, list[Override]] = {}  # the values of each key; the last word counts
        self.rows = Rows()  # jobs that are listed: sweep.zip and sweep.jobs
        self._cache: dict[tuple[str, ...], DictConfig] = {}

    def read(self, words: Sequence[str], multirun: bool) -> None:
        """Read the words one by one, those of a sweep into their elements."""
        given = [*self._read_words(words, self.problems)]
        values = [found for found in given if not found.is_hydra_override()]
        for found in given:
            if found.is_hydra_override():
                self.problems += self.settings.add(found)
        self._compose_first(values)
        mode = None if self.composed is None else self.composed.hydra.mode
        rows = self._read_rows(values)
        self.is_sweep = multirun or mode == RunMode.MULTIRUN or rows is not None
        is_search = self.is_sweep and "n_trials" in self.sweeper
        params = self.sweeper.get("params") or {} if self.is_sweep else {}
        named = self._read_words([f"{key}={text}" for key, text in params.items()], self.problems)
        for found in [*named, *values]:
            if problem := misuse(found, self.is_sweep, is_search):
                self.problems.append(problem)
            else:
                self.given[found.key_or_group] = elements(found, self.parser)
        if self.composed is not None:
            self._replicate(self.composed)
        if rows is not None:
            self._take_rows(rows, is_search)

    def _replicate(self, composed: DictConfig) -> None:
        """Add the seeds that `sweep.replicates` asks for; in a race, the seed varies slowest."""
        replicates, race = (self._value(composed, f"sweep.{key}") for key in ("replicates", "race"))
        seeds, count = self.given.get("seed", []), replicates if type(replicates) is int else 1
        first = seeds[0].value() if seeds else composed.seed
        problem = wrong_replicates(len(seeds), count, race is True, self.is_sweep)
        if problem is not None:
            self.problems.append(problem)
        elif len(seeds) <= 1 < count and type(first) is int:
            words = [f"seed={first + place}" for place in range(count)]
            seeds = [read_word(word, self.parser) for word in words]
        if len(seeds) > 1:
            self.given = {"seed": seeds, **self.given} if race is True else self.given
            self.given["seed"] = seeds
            found = [one.value() for one in seeds]
            self.seeds = list(dict.fromkeys(seed for seed in found if type(seed) is int))

    def _value(self, composed: DictConfig, key: str) -> object:
        """Return what the command line says of a key, or else the files."""
        return self.given[key][-1].value() if key in self.given else OmegaConf.select(composed, key)

    def _read_words(self, words: Sequence[str], problems: list[Problem]) -> Iterator[Override]:
        for word in words:
            try:
                yield read_word(word, self.parser)
            except ConfigError as error:
                problems += error.problems

    def _read_rows(self, values: Sequence[Override]) -> Rows | None:
        preset = {} if self.composed is None else plain_mapping(self.composed.sweep)
        given = {each.key_or_group: each for each in values if not each.is_sweep_override()}
        zipped, file = (
            given[key].value() if key in given else preset.get(key.partition(".")[2])
            for key in (ZIP, JOBS)
        )
        try:
            return read_rows(zipped, file)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def _take_rows(self, rows: Rows, is_search: bool) -> None:
        """Read each row as words of the command line, and note what is wrong with it."""
        if is_search:
            why = "a search chooses the values of its jobs; leave out sweep=..., or the rows"
            self.problems.append(Problem(rows.source, why))
        found: dict[Problem, list[int]] = {}
        first: dict[tuple[str, ...], int] = {}
        for number, words in enumerate(rows.words):
            if (same := first.setdefault(tuple(words), number)) != number:
                message = f"{rows.label([same, number])} are the same; remove one"
                self.problems.append(Problem(rows.source, message))
            overrides, problems = self._read_row(words)
            rows.overrides.append(overrides)
            for problem in dict.fromkeys(problems):
                found.setdefault(problem, []).append(number)
        del rows.overrides[0]
        for problem, numbers in found.items():
            message = f"{problem.message} ({rows.label(numbers)})"
            self.problems.append(Problem(problem.path, message))
        self.rows = rows

    def _read_row(self, words: Sequence[str]) -> tuple[list[Override], list[Problem]]:
        overrides, problems = list[Override](), list[Problem]()
        for each in self._read_words(words, problems):
            if (problem := row_problem(each, self.given)) is None:
                overrides.append(each)
            else:
                problems.append(problem)
        return overrides, problems

    def _compose_first(self, values: Sequence[Override]) -> None:
        """Compose the first choice of every group, to read the settings of Hydra in files."""
        groups = [each for each in values if each.key_or_group in CHOICES and not each.is_delete()]
        first = [one for each in groups for one in elements(each, self.parser)[:1]]
        choices, _ = self.choose(first, [])
        try:
            self.composed = self._compose(choices)
        except NO_COMPOSITION:
            if problems := self.settings.unknown():
                self.problems += problems
                self.settings.discard()
                self._compose_first(values)
            return  # `check` reports what is wrong with a file
        self.sweeper = plain_mapping(self.composed.hydra)["sweeper"]
        self.problems += [*settings_problems(self.composed.hydra), *self._settings_problems]

    def jobs(self) -> Iterator[Sequence[Override]]:
        """Yield the jobs in the order in which Hydra runs them, the last key varying fastest."""
        rows = self.rows.overrides
        return ((*job, *row) for job in product(*self.given.values()) for row in rows)

    def check(self, job: Sequence[Override]) -> Job:
        """Compose a single run and read it."""
        problems: list[Problem] = []
        choices, values = self.choose(job, problems)
        try:
            composed = self._compose(choices)
        except NO_COMPOSITION as error:
            return Job(job, None, {}, [*problems, _reason(error)])
        if self.composed is not None and not self.problems:
            problems += differing(self.composed.hydra, composed.hydra)
        mapping = _values(composed, values, problems)
        try:
            config = from_mapping(mapping, self.is_sweep)
            return Job(job, config, mapping, [*problems, *unused(config)])
        except ConfigError as error:
            return Job(job, None, mapping, [*problems, *error.problems])

    def values(self, job: Sequence[Override], settings: Sequence[str]) -> dict[str, Any]:
        """Return the values of a job, unchecked."""
        self.settings.words = list(settings)
        choices, values = self.choose(job, [])
        return _values(self._compose(choices), values, [])

    def choose(
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
            elif choice in (options := self.settings.options(group)):
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
        if key not in self._cache:
            composed = self.loader.compose([*choices, *self.settings.words])
            self._settings_problems = [*self.settings.complete(composed.hydra)]
            self._cache[key] = composed
        return self._cache[key]


def _values(
    composed: DictConfig, values: Sequence[Override], problems: list[Problem]
) -> dict[str, Any]:
    """Return what was composed, without Hydra's own part, with these values set."""
    found = plain_mapping(composed)
    del found["hydra"]
    for value in values:
        _set(found, value, problems)
    return found


def _reason(error: Exception) -> Problem:
    texts = [str(cause) for cause in (error, error.__cause__) if cause is not None]
    first, *_ = next((text for text in texts if text.strip()), "").strip().split("\n\n")
    if first.startswith(MERGING) and len(texts) > 1:  # which says only what was typed
        key, _, _ = first.removeprefix(MERGING).partition("=")
        return Problem(key, texts[1].partition("\n")[0])
    return Problem("", " ".join(first.split()))


def _superfluous_plus(found: Override) -> Iterator[Problem]:
    """Yield that a `+` before a key that exists is one too many."""
    if found.is_add() or found.is_force_add():
        key = found.key_or_group
        yield Problem(key, f"is there already; write {typed(override(key, found.value()))}")


def _set(mapping: dict[str, Any], found: Override, problems: list[Problem]) -> None:
    """Set a value, or each of a mapping, whether or not there is such a key."""
    for path, value in leaves({found.key_or_group: found.value()}, {ZIP: None}):
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
