"""What a tracker hears while the network is trained: its epochs, its checkpoints, that it lives."""

from __future__ import annotations

import math
import time
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.tracking.base import Tracker
from digit_exp.tracking.ownership import BEAT_SECONDS
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState

KEEP_SECONDS = 10


class LogEpochs(Callback):
    """Writes each epoch when it ends.

    A run that died between its checkpoint and its tracker lacks an epoch. The checkpoint has it,
    so that it is written when the run goes on.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def on_fit_start(self, state: TrainState) -> None:
        """Write the epochs of the checkpoint that the run does not hold."""
        for metrics in state.history:
            self._tracker.log_epoch(int(metrics["epoch"]), metrics)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        """Write this epoch."""
        self._tracker.log_epoch(state.epoch, metrics)


class KeepCheckpoints(Callback):
    """Copies the checkpoints to the tracker, so that the run can go on where the folder is not.

    After the first epoch, and then at the ends of epochs at most every `seconds`: that bounds what
    is trained twice as well as what it costs. Stands behind the callbacks that write them.
    """

    def __init__(self, tracker: Tracker, folder: Path, seconds: float = KEEP_SECONDS) -> None:
        self._tracker = tracker
        self._folder = folder
        self._seconds = seconds
        self._due = -math.inf
        self._kept: dict[Path, int] = {}

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if time.monotonic() < self._due:
            return
        for file in sorted(self._folder.glob("[!.]*.npz")):
            written = file.stat().st_mtime_ns
            if self._kept.get(file) != written:
                self._tracker.log_file(file, self._folder.name)
                self._kept[file] = written
        self._due = time.monotonic() + self._seconds


class Heartbeat(Callback):
    """Lets the tracker know every half minute that training goes on."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._due = math.inf

    def on_fit_start(self, state: TrainState) -> None:
        self._due = time.monotonic() + BEAT_SECONDS

    def on_step_end(self, state: TrainState, loss: float) -> None:
        if time.monotonic() >= self._due:
            self._tracker.beat()
            self._due = time.monotonic() + BEAT_SECONDS
