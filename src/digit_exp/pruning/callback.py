"""The callback that stops a run of a sweep that falls behind the others."""

from digit_exp.arrays import Metrics
from digit_exp.pruning.pruners import Competition, Pruner, Rivals, by_epoch
from digit_exp.training.callbacks import Best, Callback
from digit_exp.training.state import TrainState


class PruneLosing(Callback):
    """Stop a run whose best value is below what `pruner` demands of it.

    `rivals` returns the monitored metric of the other runs, by number, as it was tracked: by
    epoch, losses positive. Looking that up costs time, so it is called only when there is
    something to ask. It is not called after the last of `epochs`.
    An epoch at which the pruner asks, but the run is not evaluated, is made up for at the next
    evaluation. What a resumed run measured before counts, for it is in the history.

    A pruned run has the `stop_reason` "pruned", and `memory` says at which "epoch" and what
    "threshold", in the metric's own sign, it has missed.

    Stands behind EarlyStopping, whose reason for a stop in the same epoch goes first, and in front
    of the checkpoints, which save the reason and the memory.
    """

    def __init__(
        self,
        pruner: Pruner,
        rivals: Rivals,
        *,
        number: int,
        epochs: int,
        monitor: str = "val_acc",
        mode: str = "auto",
    ) -> None:
        self._epochs = epochs
        self._monitor = monitor
        rises = Best(monitor, mode).improves(1.0, 0.0)
        self._competition = Competition(pruner, rivals, number, rises)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        is_measured = self._monitor in metrics and state.stop_reason is None
        if not is_measured or state.epoch >= self._epochs:
            return
        history = by_epoch(state.history, self._monitor)
        if (threshold := self._competition.missed(history)) is not None:
            state.stop_reason = "pruned"
            self.memory(state).update(epoch=state.epoch, threshold=threshold)
