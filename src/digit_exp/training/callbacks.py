"""What hangs on the training loop: stopping early, stopping on nonsense, keeping checkpoints.

A callback gets the state and a mapping of metrics, and nothing else. What it must remember lies
in `state.callback_memory`, so that a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array, Metrics
from digit_exp.training.checkpoint import save_checkpoint
from digit_exp.training.state import TrainState

DIVERGED = "diverged"
"""The reason to stop of a run whose loss is no longer a finite number."""


class Callback:
    """Four events, none of which must be used. Callbacks run in the order of their list."""

    monitor: str | None = None
    """The metric without which the callback makes no sense."""

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
        """What the memory is kept under: two callbacks of one name would share it."""
        return type(self).__name__


class StopOnNonFinite(Callback):
    """Stop within the step when the loss is NaN or infinite: nothing after it would mean much.

    The network gets back weights of at most `every` steps before, when all of them were finite.
    What happened stands in the memory as `step` and `loss`, and whose weights they are as `kept`.
    Comes first, so that no other callback sees what is not finite.
    """

    def __init__(self, every: int = 16) -> None:
        self._every = every
        self._finite: list[Array] = []

    def on_fit_start(self, state: TrainState) -> None:
        self._keep(state)

    def on_step_end(self, state: TrainState, loss: float) -> None:
        if not math.isfinite(loss):
            self._stop(state, loss)
        elif state.step % self._every == 0:
            self._keep(state)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        """Stop also for the last step of an epoch, whose harm only validation shows."""
        losses = [metrics[name] for name in ("train_loss", "val_loss") if name in metrics]
        if not all(map(math.isfinite, losses)):
            self._stop(state, next(loss for loss in losses if not math.isfinite(loss)))

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


class EarlyStopping(Callback):
    """Stop when the monitored metric has not improved for `patience` evaluations.

    Only an improvement by more than `min_delta` resets the count. The weights that
    `restore_best` puts back, whether training stopped early or not, are those of the best value
    seen, however small its lead. A run that diverged keeps its last finite weights.
    """

    def __init__(
        self,
        monitor: str = "val_acc",
        *,
        mode: str = "auto",
        patience: int = 5,
        min_delta: float = 0.001,
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self._best = Best(monitor, mode)
        self._patience = patience
        self._min_delta = min_delta
        self._restore_best = restore_best

    @property
    def name(self) -> str:
        return f"EarlyStopping {self._best.monitor}"

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if not _is_evaluated(self._best.monitor, metrics):
            return
        memory, value = self.memory(state), self._best.value(metrics)
        if self._best.improves(value, memory.get("best")):
            memory.update(best=value, best_epoch=state.epoch)
            if self._restore_best:
                memory["best_storage"] = state.evaluated.copy()
        if self._best.improves(value, memory.get("reference"), self._min_delta):
            memory.update(reference=value, wait=0)
            return
        memory["wait"] = memory.get("wait", 0) + 1
        if memory["wait"] >= self._patience and state.stop_reason is None:
            state.stop_reason = "early_stopping"

    def on_fit_end(self, state: TrainState) -> None:
        best = self.memory(state).get("best_storage")
        if best is not None and state.stop_reason != DIVERGED:  # else the last finite ones stay
            state.network.parameters.storage[:] = best


class ModelCheckpoint(Callback):
    """Write a checkpoint after every `every` epochs, or after those of them that are the best.

    `path` may name the epoch and its metrics, as in `"epoch{epoch:02d}-{val_acc:.4f}.npz"`. Of the
    files written, `keep` stay: the latest, which with `save_best_only` are the best. 0 keeps all.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        monitor: str = "val_acc",
        mode: str = "auto",
        save_best_only: bool = True,
        every: int = 1,
        keep: int = 1,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder, self._filename = Path(path).parent, Path(path).name
        self.monitor = monitor if save_best_only else None
        self._best = Best(monitor, mode)
        self._save_best_only = save_best_only
        self._every = every
        self._keep = keep
        self._config = config

    @property
    def name(self) -> str:
        return f"ModelCheckpoint {self._filename}"

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        if state.epoch % self._every or not self._is_wanted(state, metrics):
            return
        values = {**{"val_loss": math.nan, "val_acc": math.nan}, **metrics, "epoch": state.epoch}
        name = self._filename.format_map(values)
        memory = self.memory(state)
        kept = [other for other in memory.get("files", []) if other != name]
        memory["files"] = [*kept, name][-self._keep :]
        save_checkpoint(self._folder / name, state, self._config)
        for other in {*kept} - {*memory["files"]}:
            (self._folder / other).unlink(missing_ok=True)

    def _is_wanted(self, state: TrainState, metrics: Metrics) -> bool:
        if not self._save_best_only:
            return True
        if not _is_evaluated(self._best.monitor, metrics):
            return False
        memory, value = self.memory(state), self._best.value(metrics)
        if not self._best.improves(value, memory.get("best")):
            return False
        memory.update(best=value, best_epoch=state.epoch)
        return True


class LastCheckpoint(Callback):
    """Write the state after every epoch, and before the first, to resume from.

    Stands behind the callbacks whose memory it has to save.
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any] | None = None) -> None:
        self._path = Path(path)
        self._config = config

    def on_fit_start(self, state: TrainState) -> None:
        save_checkpoint(self._path, state, self._config)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        save_checkpoint(self._path, state, self._config)


def _vectors(state: TrainState) -> list[Array]:
    """Return the vectors that training changes and evaluation uses."""
    average = [] if state.average is None else [state.average]
    return [state.network.parameters.storage, *average]


def _is_evaluated(monitor: str, metrics: Metrics) -> bool:
    """Return False in an epoch without evaluation, where no `val_` metric can be expected."""
    return not monitor.startswith("val_") or any(name.startswith("val_") for name in metrics)
