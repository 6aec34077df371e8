"""An Optuna study that can be interrupted at any moment and continued.

Each trial has a place in the search, from 0. A place is asked for again, with the same values,
until its job has ended; so a place may have several trials in Optuna, of which one counts.

What a sampler draws is decided by the seed, the place and the results so far (and not by how
often the search was interrupted), because every place gets a sampler with a seed of its own.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from digit_exp.config.serialize import unused
from digit_exp.registry import ConfigError, did_you_mean
from digit_exp.sweeps.search.space import Value, distributions
from digit_exp.sweeps.search.storage import (
    only_process,
    open_storage,
    quiet,
    require_storage,
    storage_address,
)
from digit_exp.tracking.mlflow.uri import (
    STORAGE,
    database_file,
)

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from digit_exp.config.compose import Plan

DIRECTIONS = ("maximize", "minimize")

PLACE, FAILED, SEARCH = "digit_exp.place", "digit_exp.failed", "digit_exp.search"
"""Noted in Optuna: a trial's place, that its job ended without a value, what is searched."""


@dataclass(frozen=True)
class Sampler:
    """A sampler of Optuna by the name of its class, with its keyword arguments."""

    name: str = "TPESampler"
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def at(self, place: int) -> BaseSampler:
        """Return the sampler for one place of the search; raises ConfigError if there is none."""
        from optuna import samplers

        known = [name for name in samplers.__all__ if name.endswith("Sampler")]
        known = [name for name in known if not name.startswith("Base")]
        if self.name not in known:
            near = did_you_mean(self.name, known)
            message = f"unknown sampler {self.name!r}.{near} Known: {', '.join(known)}"
            raise ConfigError.at("hydra.sweeper.sampler", message)
        seed = {}
        if self.name == "QMCSampler" and self.seed is not None:
            seed = {"seed": self.seed}  # one sequence, whose position is kept in the study
        elif self.seed is not None:
            seed = {"seed": int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0])}
        try:
            sampler: BaseSampler = getattr(samplers, self.name)(**seed, **self.options)
        except (TypeError, ValueError) as error:
            message = f"{self.name} cannot be made with these options: {error}"
            raise ConfigError.at("hydra.sweeper.sampler_options", message) from error
        return sampler


@dataclass(frozen=True)
class Candidate:
    """The values that a job is to try."""

    place: int
    values: Mapping[str, Value]
    trial: int
    """Its number in Optuna."""


@dataclass
class Study:
    """The search called `name`, from its next place to its last; open it in a `with` block."""

    name: str
    _: KW_ONLY
    storage: str
    space: Mapping[str, Any]
    sampler: Sampler
    total: int
    direction: str = "maximize"
    seeds: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            message = f"must be {' or '.join(DIRECTIONS)}, got {self.direction!r}"
            raise ConfigError.at("hydra.sweeper.direction", message)
        with quiet():
            self._space = distributions(self.space)
            self.sampler.at(0)  # raises ConfigError if there is no such sampler
        self._url = storage_address(self.storage)
        self._left: deque[int] = deque()
        self._again: dict[int, dict[str, Value]] = {}
        self._exit = ExitStack()

    @property
    def left(self) -> int:
        """The number of places without a job that ended."""
        return len(self._left)

    def __enter__(self) -> Self:
        import optuna
        from optuna.study import StudyDirection

        with ExitStack() as stack:
            stack.enter_context(only_process(self._url, self.name))
            with quiet():
                storage = stack.enter_context(open_storage(self._url))
                self._study = optuna.create_study(
                    study_name=self.name,
                    storage=storage,
                    direction=StudyDirection[self.direction.upper()],
                    load_if_exists=True,
                )
                self._refuse_another_search()
                self._restore()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.__exit__(kind, error, traceback)

    def ask(self, count: int) -> list[Candidate]:
        """Return at most `count` candidates, at places that follow one another."""
        batch: list[Candidate] = []
        with quiet():
            while self._left and len(batch) < count:
                if batch and self._left[0] != batch[-1].place + 1:
                    break  # a launcher counts the jobs of a batch by ones
                batch.append(self._ask(self._left.popleft()))
        return batch

    def tell(self, candidate: Candidate, value: float | None) -> None:
        """Note the result of a job that ended; without a finite value, it failed for good."""
        with quiet():
            if value is not None and math.isfinite(value):
                self._study.tell(candidate.trial, value)
            else:
                self._fail(candidate.trial, for_good=True)

    def tell_error(self, candidate: Candidate) -> None:
        """Note that a job raised: its place is asked for again when the search is continued."""
        with quiet():
            self._fail(candidate.trial, for_good=False)

    def _ask(self, place: int) -> Candidate:
        self._study.sampler = self.sampler.at(place)
        if place in self._again:
            self._study.enqueue_trial(self._again[place], user_attrs={PLACE: place})
        try:
            trial = self._study.ask(self._space)
        except ImportError as error:
            message = f"{self.sampler.name} needs a package that is not installed: {error}"
            raise ConfigError.at("hydra.sweeper.sampler", message) from error
        trial.set_user_attr(PLACE, place)
        return Candidate(place, dict(trial.params), trial.number)

    def _fail(self, number: int, *, for_good: bool) -> None:
        import optuna

        if for_good:
            trial = self._study.get_trials(deepcopy=False)[number]
            self._study._storage.set_trial_user_attr(trial._trial_id, FAILED, True)
        self._study.tell(number, state=optuna.trial.TrialState.FAIL)

    def _restore(self) -> None:
        """Fail the trials that a killed process left, and list the places that are left."""
        from optuna.trial import TrialState

        while self._study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
            self._study.tell(self._study.ask(), state=TrialState.FAIL)
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            self._fail(trial.number, for_good=False)
        ended: set[int] = set()
        for trial in self._study.get_trials(deepcopy=False):
            place = trial.user_attrs.get(PLACE)
            if place is None:  # killed before it was given one
                continue
            if _has_ended(trial):
                ended.add(place)
            if trial.params.keys() == self._space.keys():
                self._again[place] = trial.params
        self._left = deque(place for place in range(self.total) if place not in ended)

    def _refuse_another_search(self) -> None:
        """Compare what is searched with what was, as the results of both would be mixed."""
        own = {
            "direction": self.direction,
            "space": {key: self._space[key]._asdict() for key in sorted(self._space)},
            **({"seeds": list(self.seeds)} if self.seeds else {}),
        }
        known = self._study.user_attrs.get(SEARCH)
        if known is None:
            self._study.set_user_attr(SEARCH, own)
        elif known != json.loads(json.dumps(own)):
            message = (
                f"the search {self.name!r} was begun with another space, direction or seeds."
                " Go on with those, or give this search another name"
            )
            raise ConfigError.at("hydra.sweeper.study_name", message)


def count_ended(url: str, name: str) -> int:
    """Return how many places of a search have had a job that ended. Nothing is created."""
    database = database_file(url, STORAGE)
    if database is not None and not database.exists():
        return 0
    import optuna

    with quiet(), open_storage(url) as storage:
        if name not in optuna.get_all_study_names(storage):
            return 0
        trials = optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
        return len({trial.user_attrs.get(PLACE) for trial in trials if _has_ended(trial)})


def _has_ended(trial: FrozenTrial) -> bool:
    from optuna.trial import TrialState

    counts = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return counts or FAILED in trial.user_attrs


def require_search(plan: Plan) -> None:
    """Raise ConfigError with what is wrong with the sampler or the space of a search, if it is one.

    The ends of every range are tried, and every choice: their fields must take them.
    """
    settings = plan.hydra["sweeper"]
    if "space" not in settings:
        return
    require_storage(settings["storage"])
    space = settings["space"]
    distributions(space)
    Sampler(settings["sampler"], settings["seed"], settings["sampler_options"]).at(0)
    problems = []
    for key, entry in space.items():
        is_listed = entry["type"] == "categorical"
        ends = list(entry["choices"]) if is_listed else [entry["low"], entry["high"]]
        problems += plan.problems_of(key, ends)
    problems += unused(plan.jobs[0], space)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
