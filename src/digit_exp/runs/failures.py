"""What a run could not write, so that it trains to its end nevertheless and then says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState

log = logging.getLogger(__name__)


class Losses:
    """Collects what could not be written or made, and why."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    @contextmanager
    def tolerated(self, what: str, kind: type[Exception] = OSError) -> Iterator[None]:
        """Go on after the `with` block, even if it raised an error of that kind.

        What is written later after all, such as a checkpoint, is no loss any more.
        """
        try:
            yield
        except kind as error:
            reason = _reason(error)
            if what not in self._reasons:
                log.warning("%s cannot be written: %s. The run goes on", what, reason)
                log.debug("the error", exc_info=error)
            self._reasons[what] = reason
        else:
            self._reasons.pop(what, None)

    def sentences(self) -> list[str]:
        """Return what is missing in the end, and why."""
        return [f"{what}: {reason}" for what, reason in self._reasons.items()]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


class Tolerated(Callback):
    """A callback that writes after epochs, and whose failing to is a loss and not the end.

    Before the first epoch it may fail: then nothing is lost by ending there.
    """

    def __init__(self, callback: Callback, losses: Losses, what: Path) -> None:
        self._callback = callback
        self._losses = losses
        self._what = str(what)
        self.monitor = callback.monitor

    def on_fit_start(self, state: TrainState) -> None:
        self._callback.on_fit_start(state)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        with self._losses.tolerated(self._what):
            self._callback.on_epoch_end(state, metrics)
