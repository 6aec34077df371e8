"""Signals that end a run: Ctrl-C, `kill`, a closed terminal.

During training, the first signal lets the step finish and ends training in order. A second signal,
or one at any other time, raises Interrupted at once. A block that was asked to end never ends as
if it was not.
"""

import signal
import threading
from types import FrameType
from typing import Self

from digit_exp.runs.errors import Interrupted
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState

SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])


class Interruption(Callback):
    """Handles the signals inside its `with` block and, as a callback, stops the training loop."""

    def __init__(self) -> None:
        self._signum: int | None = None
        self._is_training = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        # Only the main thread of a process may install handlers.
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._receive) for s in SIGNALS}
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        # A library may end the exception of a signal, or raise another one because of it.
        if self._signum is not None and not isinstance(error, KeyboardInterrupt):
            raise Interrupted(self._signum) from error

    def on_fit_start(self, state: TrainState) -> None:
        self._is_training = True

    def on_step_end(self, state: TrainState, loss: float) -> None:
        if self._signum is not None:
            state.stop_reason = "interrupted"

    def on_fit_end(self, state: TrainState) -> None:
        self._is_training = False

    def raise_if_asked(self) -> None:
        """Raise Interrupted if a signal came during training."""
        if self._signum is not None:
            raise Interrupted(self._signum)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        is_first = self._signum is None
        self._signum = signum
        if not (self._is_training and is_first):
            raise Interrupted(signum)
