"""The result of one job of a sweep, as the analysis takes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.config.serialize import read_yaml
from digit_exp.registry import ConfigError

DROPPED = "DROPPED"
"""The status of a job that a race did not run: its candidate was too far behind."""


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


def searched_in(folder: Path) -> dict[str, bool]:
    """Return the parameters that a search draws from a range, and whether by their logarithm."""
    try:
        settings = read_yaml(folder / "multirun.yaml")
    except ConfigError:
        return {}
    space = settings.get("hydra", {}).get("sweeper", {}).get("space") or {}
    ranges = {key: entry for key, entry in space.items() if entry.get("type") != "categorical"}
    return {key: bool(entry.get("log")) for key, entry in ranges.items()}
