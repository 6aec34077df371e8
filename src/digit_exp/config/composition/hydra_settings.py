"""The settings of Hydra itself (`hydra.…` and `hydra/…`), checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

from digit_exp.config.composition.loader import JobLoader, plain_mapping
from digit_exp.config.composition.override_syntax import unknown_choice
from digit_exp.config.constraints import SECRET
from digit_exp.config.convert import texts_in
from digit_exp.config.overrides import override
from digit_exp.config.parse import leaves
from digit_exp.config.paths import conf_dir
from digit_exp.config.serialize import read_yaml
from digit_exp.config.suggestions import question
from digit_exp.registry import Problem
from digit_exp.tracking.mlflow.uri import STORAGE, STORAGE_ENVIRONMENT, has_password

EXTRAS = {"ray": "ray", "submitit_local": "slurm", "submitit_slurm": "slurm"}
"""Launchers, with the extra of this package that installs each."""

SPACE = "hydra.sweeper.space."

ENTRY = ("type", "low", "high", "log", "step", "choices")
"""What an entry of a search space holds."""

DECIDED = {
    "sweep.dir": "follows from the name of the sweep; write sweep.name=NAME",
    "sweep.subdir": "follows from what a job is; leave it out",
    "sweeper.direction": "follows from sweep.objective: an accuracy is maximized, all else"
    " minimized; leave it out",
    "sweeper.study_name": "follows from the name of the sweep; write sweep.name=NAME",
}
"""Settings of Hydra that this program sets."""

UNSEARCHABLE = {
    "seed": "a search would choose among seeds. To train every candidate with several, write"
    " sweep.replicates=3 or seed=1,2,3",
    "start_from": "the runs must be known before the search begins; write start_from=RUN,RUN",
}
"""Keys that have no place in a search space, and why."""

COUNTS = ("sweeper.n_trials", "sweeper.n_jobs", "sweeper.max_batch_size", "launcher.n_jobs")

OWN_TO_A_JOB = ("overrides", "runtime", "job.override_dirname")
"""What Hydra writes into its part for every job."""


class Settings:
    """The settings of Hydra on a command line."""

    def __init__(self, loader: JobLoader, config_dir: str | None) -> None:
        self._given: dict[str, str] = {}  # by their keys
        self.words: list[str] = []
        """As overrides."""
        self._loader = loader
        self._folders = [] if config_dir is None else [f"file://{Path(config_dir).resolve()}"]
        self._options: dict[str, list[str]] = {}
        self._space: list[tuple[str, Any]] = []  # entries, and single values of entries
        self._search()

    def add(self, found: Override) -> Iterator[Problem]:
        """Take a setting, or yield what is wrong with it."""
        key, value, text = found.key_or_group, found.value(), str(found.input_line)
        if found.is_sweep_override():
            typed = text.partition("=")[2]
            yield Problem(key, f"is the same for all jobs, got several values, {typed}; choose one")
        elif key.removeprefix("hydra.") in DECIDED:
            yield Problem(key, DECIDED[key.removeprefix("hydra.")])
        elif key == "hydra.searchpath" and isinstance(value, list):
            self._folders += value
            self._search()
        elif key.startswith("hydra/") and (problem := self._unknown_choice(key, value)):
            yield problem
        elif key.startswith(SPACE):
            self._search_in(key.removeprefix(SPACE), value)
        else:
            self._given[key] = text
            self.words.append(text)

    def options(self, group: str) -> list[str]:
        """Return the names of the files in a group."""
        if group not in self._options:
            options = self._loader.get_group_options(
                group,
                config_name="config",
                overrides=[word for word in self.words if word.startswith("hydra.searchpath=")],
            )
            self._options[group] = [option for option in options if option != "schema"]
        return self._options[group]

    def unknown(self) -> list[Problem]:
        """Return which settings Hydra does not have."""
        choices = [word for word in self.words if word.startswith("hydra/")]
        standard = plain_mapping(self._loader.compose(choices).hydra)
        known = [path for path, _ in leaves({"hydra": standard}, {})]
        others = " --cfg hydra shows those there are"
        return [
            Problem(key, f"no such setting of Hydra.{question(key, known) or others}")
            for key, text in self._given.items()
            if not key.startswith("hydra/") and not text.startswith("+")
            if not any(path == key or path.startswith(f"{key}.") for path in known)
        ]

    def discard(self) -> None:
        """Leave out every setting."""
        self._given, self._space = {}, []
        self.words = []
        self._search()

    def _search(self) -> None:
        """Put the search path first, so that groups are found in all of its folders."""
        if self._folders:
            words = [word for word in self.words if not word.startswith("hydra.searchpath=")]
            self.words = [override("hydra.searchpath", self._folders), *words]
            self._options = {}

    def _search_in(self, key: str, value: object) -> None:
        """Take an entry of a search space, or one value of an entry."""
        whole, _, last = key.rpartition(".")
        is_part = last in ENTRY and whole != ""
        self._space.append((whole, {last: value}) if is_part else (key, value))

    def complete(self, hydra: DictConfig) -> Iterator[Problem]:
        """Put the entries of the search space in their places, or yield why that cannot be."""
        space = hydra.sweeper.get("space")
        for key, entry in self._space:
            if space is None:
                yield Problem(f"{SPACE}{key}", "needs a search; add sweep=tpe or sweep=random")
                continue
            is_part = isinstance(entry, dict) and len(entry) == 1
            with open_dict(space):
                space[key] = {**space[key], **entry} if is_part and key in space else entry
        for key, why in UNSEARCHABLE.items():
            if key in (space or {}):
                yield Problem(f"{SPACE}{key}", why)

    def _unknown_choice(self, group: str, choice: object) -> Problem | None:
        if choice in (options := self.options(group)):
            return None
        if group == "hydra/launcher" and choice in EXTRAS:
            needed = f"pip install 'digit-exp[{EXTRAS[str(choice)]}]'"
            return Problem(group, f"{choice} is not installed; {needed} brings it")
        return unknown_choice(group, choice, options)


def settings_problems(hydra: DictConfig) -> Iterator[Problem]:
    """Yield which settings do nothing or cannot be, wherever they were made."""
    made = dict(leaves(plain_mapping(hydra), {}))
    shipped = dict(leaves(read_yaml(conf_dir() / "hydra" / "output" / "folders.yaml"), {}))
    for key, why in DECIDED.items():
        if made.get(key) not in (None, shipped.get(key)):
            yield Problem(f"hydra.{key}", why)
    for key, value in made.items():
        if key.startswith("overrides."):  # each is among the settings too
            continue
        if any(map(has_password, texts_in(value))):
            instead = f", and give the address in the environment: {STORAGE_ENVIRONMENT}"
            yield Problem(f"hydra.{key}", SECRET + (instead if f"hydra.{key}" == STORAGE else ""))
    if made.get("run.dir") == "":
        message = "must name a folder, got ''; leave it out to have one made"
        yield Problem("hydra.run.dir", message)
    for key in COUNTS:
        value, of_cores = made.get(key), key.endswith("n_jobs")
        if isinstance(value, int) and (value == 0 or (value < 0 and not of_cores)):
            least = "at least 1, or -1 for every core" if of_cores else "at least 1"
            yield Problem(f"hydra.{key}", f"must be {least}, got {value}")


def differing(one: DictConfig, other: DictConfig) -> Iterator[Problem]:
    """Yield which settings of Hydra the files of one job make and those of another do not."""
    if one is other:
        return
    first, second = (dict(leaves(plain_mapping(node), {})) for node in (one, other))
    for key in dict.fromkeys([*first, *second]):
        is_own = key.startswith(OWN_TO_A_JOB)
        if not is_own and first.get(key) != second.get(key):
            message = (
                "is the same for all jobs, but not in every preset; say it on the command line"
            )
            yield Problem(f"hydra.{key}", message)
