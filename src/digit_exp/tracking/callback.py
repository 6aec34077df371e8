"""How the trainer's epochs come to a tracker."""

from __future__ import annotations

from digit_exp.arrays import Metrics
from digit_exp.tracking.tracker import Tracker
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState


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
