"""The callback that stops a run of a sweep that falls behind the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from digit_exp.arrays import Metrics
from digit_exp.pruning.pruners import History, Pruner
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
        rivals: Callable[[], Mapping[int, History]],
        *,
        number: int,
        epochs: int,
        monitor: str = "val_acc",
        mode: str = "auto",
    ) -> None:
        self._pruner = pruner
        self._rule = pruner.bracket(number)
        self._rivals = rivals
        self._number = number
        self._epochs = epochs
        self._monitor = monitor
        self._sign = 1.0 if Best(monitor, mode).improves(1.0, 0.0) else -1.0

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if self._monitor not in metrics or state.stop_reason is not None:
            return
        history = self._history(state)
        asked = self._asked(history)
        if asked is None or state.epoch >= self._epochs:
            return
        threshold = self._rule.threshold(asked, self._competitors())
        best = max(filter(math.isfinite, history.values()), default=-math.inf)
        if threshold is not None and best < threshold:
            state.stop_reason = "pruned"
            self.memory(state).update(epoch=state.epoch, threshold=self._sign * threshold)

    def _history(self, state: TrainState) -> History:
        measured = [metrics for metrics in state.history if self._monitor in metrics]
        return self._turned({int(epoch["epoch"]): epoch[self._monitor] for epoch in measured})

    def _asked(self, history: History) -> int | None:
        """Return the latest epoch since the evaluation before this one at which the rule asks."""
        *_, previous, latest = 0, *sorted(history)
        return next((e for e in range(latest, previous, -1) if self._rule.asks_at(e)), None)

    def _competitors(self) -> list[History]:
        """Return the histories of the runs in this run's bracket, higher values being better."""
        return [
            self._turned(history)
            for number, history in self._rivals().items()
            if number != self._number and self._pruner.bracket(number) == self._rule
        ]

    def _turned(self, history: History) -> History:
        return {epoch: self._sign * value for epoch, value in history.items()}
