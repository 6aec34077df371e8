"""Files that a run cannot write: training continues, and the run reports them at its end."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState

log = logging.getLogger(__name__)

CHECKPOINT_FILES = 3
"""Checkpoints on disk at the same time: the last, the best, and a temporary file."""

VECTORS_PER_FILE = 5
"""Arrays of the size of the weights: weights, two moments, the average, the best weights."""

OTHER_BYTES = 10_000_000
"""Figures, logs and predictions, and the growth of the store."""


class WriteFailures:
    """Collects what could not be written or made, with the reasons."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    @contextmanager
    def collect(self, what: str, kind: type[Exception] = OSError) -> Iterator[None]:
        """Record an exception of that kind in the `with` block and continue.

        A later success with the same name, such as that of a checkpoint, removes the record.
        """
        try:
            yield
        except kind as error:
            reason = _reason(error)
            if what not in self._reasons:
                log.warning("cannot write %s: %s. The run goes on", what, reason)
                log.debug("the error", exc_info=error)
            self._reasons[what] = reason
        else:
            self._reasons.pop(what, None)

    def messages(self) -> list[str]:
        """Return what is missing, each with the reason."""
        return [f"{what}: {reason}" for what, reason in self._reasons.items()]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"{type(error).__name__}: {error}"


class BestEffort(Callback):
    """Runs a callback that writes after epochs; records an OSError and continues.

    An error before the first epoch is raised: nothing is lost yet.
    """

    def __init__(self, callback: Callback, failures: WriteFailures, what: Path) -> None:
        self._callback = callback
        self._failures = failures
        self._what = str(what)
        self.monitor = callback.monitor

    def on_fit_start(self, state: TrainState) -> None:
        self._callback.on_fit_start(state)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        with self._failures.collect(self._what):
            self._callback.on_epoch_end(state, metrics)


def require_free_space(folder: Path, network: Network | Learner) -> None:
    """Raise ConfigError if the disk of `folder` is too full for a run of `network`."""
    needed = CHECKPOINT_FILES * VECTORS_PER_FILE * network.storage.nbytes + OTHER_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError.at(
            "",
            f"the disk of {folder} has {free / 1e6:,.0f} MB free, and this run may write"
            f" {needed / 1e6:,.0f} MB. Free some space, or start in a folder on another disk",
        )
