"""Callbacks of the training loop: early stopping, stopping on NaN, checkpoints.

A callback gets the state and a mapping of metrics, and nothing else. What it must remember is in
`state.callback_memory`, so that a resumed run continues exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array, Metrics
from digit_exp.nn.learner import Learner
from digit_exp.training.checkpoint import save_checkpoint
from digit_exp.training.state import TrainState

OUT_OF_TIME, SWEEP_OUT_OF_TIME = "out_of_time", "sweep_out_of_time"
"""The reasons of a run whose own time is over, and of one that its sweep has no more time for."""

DIVERGED = "diverged"
"""The reason to stop of a run whose loss is no longer a finite number."""


class Callback:
    """Four events, none of which must be used. Callbacks run in the order of their list."""

    monitor: str = ""
    """The metric that the callback needs, if it needs one."""

    def on_fit_start(self, state: TrainState) -> None:
        """Run before the first epoch, of a new run or of a resumed one."""

    def on_step_end(self, state: TrainState, loss: float) -> None:
        """Run after every update with the loss of its batch. Must be cheap."""

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        """Run after every epoch, once it is evaluated and in the history."""

    def on_fit_end(self, state: TrainState) -> None:
        """Run at the end in any case, after an exception too."""

    def memory(self, state: TrainState) -> dict[str, Any]:
        """Return what this callback remembers: plain values and arrays."""
        return state.callback_memory.setdefault(self.name, {})

    @property
    def name(self) -> str:
        """The key of the memory; two callbacks of one name would share it."""
        return type(self).__name__


@dataclass(eq=False)
class StopOnNonFinite(Callback):
    """Stop within the step when the loss is NaN or infinite.

    The network gets back the weights of at most `every` steps before, all of them finite. The
    memory has the `step` and `loss` of the failure, and the step `kept` of the restored weights.
    Comes first, so that no other callback sees a number that is not finite.
    """

    every: int = 16

    def __post_init__(self) -> None:
        self._finite: list[Array] = []

    def on_fit_start(self, state: TrainState) -> None:
        self._keep(state)

    def on_step_end(self, state: TrainState, loss: float) -> None:
        if not math.isfinite(loss):
            self._stop(state, loss)
        elif state.step % self.every == 0:
            self._keep(state)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        """Check also the last update of an epoch, which only validation measures."""
        for name in ("train_loss", "val_loss"):
            if not math.isfinite(loss := metrics.get(name, 0.0)):
                self._stop(state, loss)
                break

    def _keep(self, state: TrainState) -> None:
        vectors = _vectors(state)
        if all(np.isfinite(vector).all() for vector in vectors):
            self._finite = [vector.copy() for vector in vectors]
            self._step = state.step

    def _stop(self, state: TrainState, loss: float) -> None:
        state.stop_reason = DIVERGED
        memory = self.memory(state)
        memory.update(step=state.step, loss=loss)
        if self._finite:
            memory["kept"] = self._step
            for vector, finite in zip(_vectors(state), self._finite, strict=True):
                vector[:] = finite


class Best:
    """Says whether a monitored metric is the best so far.

    `mode` is "min", "max" or "auto", which takes it from the metric's name.
    """

    def __init__(self, monitor: str, mode: str = "auto") -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor = monitor
        is_max = mode == "max" or (mode == "auto" and monitor.endswith("acc"))
        self._sign = 1.0 if is_max else -1.0

    def value(self, metrics: Metrics) -> float:
        """Return the monitored metric, or raise KeyError with those there are."""
        if self.monitor not in metrics:
            raise KeyError(
                f"the metric {self.monitor!r} is not measured; there are: {', '.join(metrics)}"
            )
        return metrics[self.monitor]

    def improves(self, value: float, best: float | None, min_delta: float = 0.0) -> bool:
        """Return whether `value` is better than `best` by more than `min_delta`; NaN never is."""
        if best is None:
            return math.isfinite(value)
        return self._sign * (value - best) > min_delta


@dataclass(eq=False)
class EarlyStopping(Callback):
    """Stop when the monitored metric has not improved for `patience` evaluations.

    Only an improvement by more than `min_delta` resets the count. The weights that
    `restore_best` puts back, whether training stopped early or not, are those of the best value
    seen, however small its lead. A run that diverged keeps its last finite weights.
    """

    monitor: str = "val_acc"
    _: KW_ONLY
    mode: str = "auto"
    patience: int = 5
    min_delta: float = 0.001
    restore_best: bool = True

    def __post_init__(self) -> None:
        self._best = Best(self.monitor, self.mode)

    @property
    def name(self) -> str:
        return f"EarlyStopping {self.monitor}"

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if not _is_evaluated(self.monitor, metrics):
            return
        memory, value = self.memory(state), self._best.value(metrics)
        if self._best.improves(value, memory.get("best")):
            memory.update(best=value, best_epoch=state.epoch)
            if self.restore_best:
                memory["best_storage"] = state.evaluated.copy()
        if self._best.improves(value, memory.get("reference"), self.min_delta):
            memory.update(reference=value, wait=0)
            return
        memory["wait"] = memory.get("wait", 0) + 1
        if memory["wait"] >= self.patience and state.stop_reason is None:
            state.stop_reason = "early_stopping"

    def on_fit_end(self, state: TrainState) -> None:
        best = self.memory(state).get("best_storage")
        if best is not None and state.stop_reason != DIVERGED:  # else the last finite ones stay
            state.network.restore(best)


@dataclass(eq=False)
class TimeBudget(Callback):
    """Stop after the last epoch that ends in time, judged by the longest so far.

    At least one is trained. The time begins with `fit`, so that a resumed run has all of it again.
    Stands behind the checkpoints, from which training can go on.
    """

    seconds: float
    epochs: int
    """How many the run has: after the last of them nothing is stopped."""

    def on_fit_start(self, state: TrainState) -> None:
        self._started = self._last = time.monotonic()
        self._longest = 0.0

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        is_late = now - self._started + self._longest > self.seconds
        if is_late and state.epoch < self.epochs and state.stop_reason is None:
            state.stop_reason = OUT_OF_TIME


@dataclass(eq=False)
class StopAfter(Callback):
    """Stop after one epoch: where the run stopped that is trained again."""

    epoch: int

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if state.epoch == self.epoch and state.stop_reason is None:
            state.stop_reason = OUT_OF_TIME


@dataclass(eq=False)
class Deadline(Callback):
    """Stop after the step in which a sweep's time is over. The epoch is trained again."""

    at: float
    """In seconds since 1970."""

    def on_step_end(self, state: TrainState, loss: float) -> None:
        if time.time() >= self.at and state.stop_reason is None:
            state.stop_reason = SWEEP_OUT_OF_TIME


@dataclass(eq=False)
class ModelCheckpoint(Callback):
    """Write a checkpoint after every `every` epochs, or after those of them that are the best.

    `path` may name the epoch and its metrics, as in `"epoch{epoch:02d}-{val_acc:.4f}.npz"`. Of the
    files written, `keep` stay: the latest, which with `save_best_only` are the best. 0 keeps all.
    """

    path: str | Path
    _: KW_ONLY
    monitor: str = "val_acc"
    mode: str = "auto"
    save_best_only: bool = True
    every: int = 1
    keep: int = 1
    config: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._folder, self._filename = Path(self.path).parent, Path(self.path).name
        self._best = Best(self.monitor, self.mode)
        if not self.save_best_only:
            self.monitor = ""

    @property
    def name(self) -> str:
        return f"ModelCheckpoint {self._filename}"

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if state.epoch % self.every or not self._is_wanted(state, metrics):
            return
        values = {"val_loss": math.nan, "val_acc": math.nan, **metrics, "epoch": state.epoch}
        name = self._filename.format_map(values)
        memory = self.memory(state)
        kept = [other for other in memory.get("files", []) if other != name]
        memory["files"] = [*kept, name][-self.keep :]
        save_checkpoint(self._folder / name, state, self.config)
        for other in {*kept} - {*memory["files"]}:
            (self._folder / other).unlink(missing_ok=True)

    def _is_wanted(self, state: TrainState, metrics: Metrics) -> bool:
        if not self.save_best_only:
            return True
        if not _is_evaluated(self.monitor, metrics):
            return False
        memory, value = self.memory(state), self._best.value(metrics)
        if not self._best.improves(value, memory.get("best")):
            return False
        memory.update(best=value, best_epoch=state.epoch)
        return True


@dataclass(eq=False)
class LastCheckpoint(Callback):
    """Write the state after every epoch, and before the first, to resume from.

    Must come after the callbacks whose memory it saves.
    """

    path: str | Path
    config: Mapping[str, Any] | None = None

    def on_fit_start(self, state: TrainState) -> None:
        save_checkpoint(self.path, state, self.config)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        save_checkpoint(self.path, state, self.config)


def _vectors(state: TrainState) -> list[Array]:
    if isinstance(state.network, Learner):
        return []  # it has no vectors that can be kept while it learns
    average = [] if state.average is None else [state.average]
    return [state.network.storage, *average]


def _is_evaluated(monitor: str, metrics: Metrics) -> bool:
    """Return False in an epoch without evaluation, where no `val_` metric can be expected."""
    return not monitor.startswith("val_") or any(name.startswith("val_") for name in metrics)
