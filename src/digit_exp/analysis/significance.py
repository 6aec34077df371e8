"""Tests of the winner against each other configuration.

The test set has no part in it: networks are compared on validation images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.predictions import Predictions, read_predictions
from digit_exp.analysis.replicates import Group
from digit_exp.analysis.statistics import SIGNIFICANCE, holm, mcnemar, paired_t
from digit_exp.npz import ArchiveError

PAIRED_T = "paired t-test"
MCNEMAR = "McNemar's exact test"

NO_SEED = "no common seed"
ONE_SEED = "one common seed"
NO_PREDICTIONS = "no validation predictions"
OTHER_IMAGES = "other validation images"

Outcome = Literal["worse", "better", "no difference shown"]


@dataclass(frozen=True)
class SignificanceTest:
    """The winner against one other configuration."""

    test: str
    n: int
    """Common seeds of a t-test, validation images of McNemar's."""
    advantage: float
    """The winner's score minus the other's, in what was tested; positive if it is better."""
    p: float
    corrected: float = np.nan
    """p after Holm's correction for all comparisons of the sweep."""

    @property
    def outcome(self) -> Outcome:
        """How the other one compares with the winner."""
        if self.corrected >= SIGNIFICANCE:
            return "no difference shown"
        return "worse" if self.advantage > 0 else "better"

    @property
    def verdict(self) -> str:
        """The outcome in words; with one seed, it concerns the network only."""
        if self.outcome == "no difference shown":
            return self.outcome
        if self.test == MCNEMAR:
            return f"this network is {self.outcome}"
        return "worse" if self.outcome == "worse" else "better on the common seeds"


def compare(
    winner: Group, others: Sequence[Group], objective: Objective
) -> list[SignificanceTest | str]:
    """Compare the winner with each other group; the reason where they cannot be compared.

    Each of them could have been the winner, which was picked by the same scores. So all pairs of
    them count as tests.
    """
    found = [_pair(winner, other, objective) for other in others]
    p_values = [one.p for one in found if isinstance(one, SignificanceTest)]
    corrected = iter(holm(p_values, tests=len(p_values) * (len(p_values) + 1) // 2))
    return [
        replace(one, corrected=next(corrected)) if isinstance(one, SignificanceTest) else one
        for one in found
    ]


def _pair(winner: Group, other: Group, objective: Objective) -> SignificanceTest | str:
    """Test on the common seeds; with one alone, on the predictions for each validation image."""
    ours, theirs = _finished(winner, objective), _finished(other, objective)
    seeds = [seed for seed in ours if seed in theirs]
    if not seeds:
        return NO_SEED
    if len(seeds) == 1 and objective.maximize is not None:
        return ONE_SEED
    if len(seeds) == 1:
        return _on_images(ours[seeds[0]][0], theirs[seeds[0]][0])
    a, b = [ours[seed][1] for seed in seeds], [theirs[seed][1] for seed in seeds]
    advantage = objective.loss(float(np.mean(b))) - objective.loss(float(np.mean(a)))
    return SignificanceTest(PAIRED_T, len(seeds), advantage, paired_t(a, b))


def _on_images(ours: JobResult, theirs: JobResult) -> SignificanceTest | str:
    a, b = _read(ours.predictions()), _read(theirs.predictions())
    if a is None or b is None:
        return NO_PREDICTIONS
    if not np.array_equal(a.labels, b.labels):
        return OTHER_IMAGES
    advantage = float(a.is_right.mean() - b.is_right.mean())
    return SignificanceTest(MCNEMAR, len(a.labels), advantage, mcnemar(a.is_right, b.is_right))


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
