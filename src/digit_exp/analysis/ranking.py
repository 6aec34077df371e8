"""Configurations ranked by their mean, each tested against the winner."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from digit_exp.analysis.job_result import DROPPED, JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.replicates import Group, grouped, varied
from digit_exp.analysis.significance import SignificanceTest, compare
from digit_exp.analysis.statistics import Summary


@dataclass(frozen=True)
class Place:
    """A configuration in the ranking."""

    group: Group
    summary: Summary
    """Mean and spread of the objective."""
    comparison: SignificanceTest | None = None
    """The test against the winner; None for the winner, and if they cannot be compared."""
    not_compared: str | None = None
    """Why there is no comparison, if one was tried."""


@dataclass(frozen=True, eq=False)  # a key of a cache
class Ranking:
    """The configurations of a sweep, best first."""

    objective: Objective
    parameters: list[str]
    """Those that differ between configurations."""
    places: list[Place]
    results: Sequence[JobResult]
    """All jobs, in the order of the plan."""
    searched: Mapping[str, bool] = field(default_factory=dict)
    """Parameters drawn from a range, and whether by their logarithm."""

    @property
    def winner(self) -> Place | None:
        """The best configuration, if any has a score."""
        first = self.places[0] if self.places else None
        return first if first and first.summary else None

    @property
    def groups(self) -> list[Group]:
        """The configurations in the order of the plan, so that values come in theirs."""
        return sorted(
            (place.group for place in self.places), key=lambda group: group.results[0].number
        )

    @property
    def with_numbers(self) -> list[Place]:
        """The configurations that have a score."""
        return [place for place in self.places if place.summary]


def rank(
    results: Sequence[JobResult],
    objective: str = "best_val_acc",
    searched: Mapping[str, bool] | None = None,
    goal: Objective | None = None,
) -> Ranking:
    """Rank by the mean over the seeds.

    A configuration that a race dropped comes after those that had all their seeds. A diverged job
    is worse than any number: its configuration comes after those of which no job diverged. Last
    come those without a number. A pruned job counts with what it had reached; one that failed or
    was killed says nothing about its configuration.
    """
    goal = goal or Objective(objective)
    places = [
        Place(group, goal.summarize([*group.scores(goal).values()])) for group in grouped(results)
    ]
    places.sort(key=lambda place: _order(place, goal))
    jobs = sorted(results, key=lambda job: job.number)
    ranking = Ranking(goal, varied(results), places, jobs, searched or {})
    return ranking if ranking.winner is None else _compared(ranking, ranking.winner)


def _order(place: Place, objective: Objective) -> tuple[bool, bool, bool, float, str]:
    mean = objective.loss(place.summary.mean) if place.summary else math.inf
    # equals stand in the same order wherever the jobs were found, in a store or in folders
    configuration = json.dumps(place.group.parameters, sort_keys=True)
    diverged, dropped = (place.group.count(status) > 0 for status in ("DIVERGED", DROPPED))
    return not place.summary, diverged, dropped, mean, configuration


def _compared(ranking: Ranking, winner: Place) -> Ranking:
    others = [place.group for place in ranking.places[1:]]
    comparisons = compare(winner.group, others, ranking.objective)
    places = [
        Place(place.group, place.summary, found, None)
        if isinstance(found, SignificanceTest)
        else Place(place.group, place.summary, None, found)
        for place, found in zip(ranking.places[1:], comparisons, strict=True)
    ]
    return replace(ranking, places=[winner, *places])
