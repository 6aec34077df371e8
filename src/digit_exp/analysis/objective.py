"""The number by which the jobs of a sweep are compared: which way is better, how it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digit_exp.analysis.job_result import JobResult

if TYPE_CHECKING:  # SciPy, most of a second
    from digit_exp.analysis.statistics import Summary

LABELS = {
    "best_val_acc": "validation accuracy",
    "best_val_loss": "validation loss",
    "final_val_acc": "final validation accuracy",
    "test_acc": "test accuracy",
    "test_loss": "test loss",
    "training_seconds": "training time (s)",
}

NO_VALUE = "–"
"""Stands where there is no number."""


@dataclass(frozen=True)
class Objective:
    """A metric of a job's summary. More is better of an accuracy; of all else, less.

    Of another application's metric, `maximize` says it, and its values may be any numbers.
    """

    metric: str = "best_val_acc"
    maximize: bool | None = None
    name: str | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is an accuracy, in [0, 1]."""
        return self.maximize is None and self.metric.endswith("acc")

    @property
    def rises(self) -> bool:
        """Whether more is better."""
        return self.is_share if self.maximize is None else self.maximize

    @property
    def label(self) -> str:
        """What it is called in a sentence."""
        return self.name or LABELS.get(self.metric, self.metric)

    def score(self, job: JobResult) -> float | None:
        """Return the score of a job, if it has one.

        A pruned job has the one it had reached. One that diverged has none, whatever it had
        reached before: its configuration does not train.
        """
        value = job.metrics.get(self.metric) if job.status in ("FINISHED", "PRUNED") else None
        return value if value is not None and math.isfinite(value) else None

    def loss(self, score: float) -> float:
        """Return a score such that less is better."""
        return -score if self.rises else score

    def summarize(self, scores: Sequence[float]) -> Summary:
        """Return mean and interval, which lies within 0 and 1 for an accuracy, else above 0.

        >>> Objective().interval(Objective().summarize([0.70, 0.85]))
        '1.44 to 99.88 %'
        """
        from digit_exp.analysis.statistics import bounded, summarize

        found = summarize(scores)
        if self.maximize is not None:
            return found
        return bounded(found, 1.0 if self.is_share else math.inf)

    def text(self, score: float) -> str:
        """Write a score for a person; NaN is no score.

        >>> Objective().text(0.97421), Objective("best_val_loss").text(0.089131)
        ('97.42 %', '0.08913')
        """
        if math.isnan(score):
            return NO_VALUE
        return f"{100 * score:.2f} %" if self.is_share else f"{score:.4g}"

    def interval(self, summary: Summary) -> str:
        """Write the interval of a mean; a single value has none.

        >>> from digit_exp.analysis.statistics import Summary
        >>> Objective().interval(Summary(n=3, mean=0.97, std=0.01, low=0.945, high=0.995))
        '94.50 to 99.50 %'
        """
        if summary.n < 2:
            return NO_VALUE
        low, high = self.text(summary.low), self.text(summary.high)
        return f"{low.removesuffix(' %')} to {high}"

    def spread(self, width: float) -> str:
        """Write a difference of scores, in percentage points for an accuracy."""
        if math.isnan(width):
            return NO_VALUE
        return f"{100 * width:.2f}" if self.is_share else f"{width:.2g}"
