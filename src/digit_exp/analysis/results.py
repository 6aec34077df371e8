"""The result of one job of a sweep, as the analysis takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digit_exp.arrays import Metrics

DROPPED = "DROPPED"
"""The status of a job that a race did not run: its candidate was beyond hope."""


@dataclass(frozen=True)
class JobResult:
    """What is known of one job of a sweep."""

    number: int
    """Its number in the plan, from 0."""
    run_id: str | None
    """In MLflow."""
    status: str
    """FINISHED, PRUNED, DIVERGED, FAILED, KILLED or DROPPED."""
    config: Mapping[str, object]
    """Flattened: `optimizer: adam`, `optimizer.lr: 0.001`, `model.hidden: [128, 64]`, `seed: 1`."""
    metrics: Mapping[str, float]
    """The summary: best_val_acc, best_epoch, test_acc, test_loss, training_seconds, ..."""
    history: Callable[[], Sequence[Metrics]] = tuple
    """Returns one mapping for each epoch."""
    reason: str | None = None
    """Why it did not finish."""
    folder: Path | None = None
    """The folder of the run, if it is on this machine."""
    page: str | None = None
    """The address of its page in MLflow."""
    predictions: Callable[[], Path | None] = lambda: None
    """Returns `val_predictions.npz` with the validation labels and logits, if there is one."""
