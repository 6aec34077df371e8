"""Whether the winner is better than another configuration, or only happened to come out ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.predictions import Predictions, read_predictions
from digit_exp.analysis.replicates import Group
from digit_exp.analysis.results import JobResult
from digit_exp.analysis.statistics import SIGNIFICANCE, holm, mcnemar, paired_t
from digit_exp.training.archive import ArchiveError

PAIRED_T = "paired t-test"
MCNEMAR = "McNemar's exact test"


@dataclass(frozen=True)
class Comparison:
    """The winner against one other configuration."""

    test: str
    n: int
    """Common seeds of a t-test, test images of McNemar's."""
    advantage: float
    """How much better the winner is, in what was tested; less than 0 if it is worse."""
    p: float
    corrected: float = np.nan
    """p after Holm's correction for all comparisons of the sweep."""

    @property
    def is_shown(self) -> bool:
        """Whether there is a difference that chance does not explain."""
        return self.corrected < SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """What may be said of the other configuration."""
        if not self.is_shown:
            return "no difference shown"
        where = "seeds" if self.test == PAIRED_T else "test images"
        return "worse" if self.advantage > 0 else f"better on the common {where}"


def compare(
    winner: Group, others: Sequence[Group], objective: Objective
) -> list[Comparison | None]:
    """Compare the winner with each other group; None where there is nothing to compare."""
    found = [_pair(winner, other, objective) for other in others]
    made = [comparison for comparison in found if comparison is not None]
    corrected = iter(holm([comparison.p for comparison in made]))
    return [
        None if comparison is None else replace(comparison, corrected=next(corrected))
        for comparison in found
    ]


def _pair(winner: Group, other: Group, objective: Objective) -> Comparison | None:
    """Test on the common seeds; of one alone, on what both made of each test image."""
    ours, theirs = _finished(winner, objective), _finished(other, objective)
    seeds = [seed for seed in ours if seed in theirs]
    if not seeds:
        return None
    if len(seeds) == 1:
        return _on_images(ours[seeds[0]][0], theirs[seeds[0]][0])
    a, b = [ours[seed][1] for seed in seeds], [theirs[seed][1] for seed in seeds]
    advantage = objective.loss(float(np.mean(b))) - objective.loss(float(np.mean(a)))
    return Comparison(PAIRED_T, len(seeds), advantage, paired_t(a, b))


def _on_images(ours: JobResult, theirs: JobResult) -> Comparison | None:
    a, b = _read(ours.predictions()), _read(theirs.predictions())
    if a is None or b is None or not np.array_equal(a.labels, b.labels):
        return None
    advantage = float(a.is_right.mean() - b.is_right.mean())
    return Comparison(MCNEMAR, len(a.labels), advantage, mcnemar(a.is_right, b.is_right))


def _finished(group: Group, objective: Objective) -> dict[object, tuple[JobResult, float]]:
    """Return the jobs that went all the way, and their scores, by seed.

    A pruned job is no pair of a finished one: it might have caught up.
    """
    return {
        job.config.get("seed"): (job, score)
        for job in group.results
        if job.status == "FINISHED" and (score := objective.score(job)) is not None
    }


def _read(path: Path | None) -> Predictions | None:
    try:
        return None if path is None else read_predictions(path)
    except ArchiveError:
        return None
