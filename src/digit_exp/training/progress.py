"""The progress of training: a bar with live metrics, and a line for each epoch.

The bar is tqdm's, on standard error, and only if that is a terminal. The lines go to `write`, so
that a log file has them too.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable
from typing import Never

from tqdm import tqdm

from digit_exp.arrays import Metrics
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState


class Progress(Callback):
    """Show the progress of `epochs` epochs, of `steps_per_epoch` steps each if that is known."""

    def __init__(
        self,
        epochs: int,
        steps_per_epoch: int | None = None,
        write: Callable[[str], object] = print,
        write_best: Callable[[str], object] | None = None,
    ) -> None:
        self._epochs = epochs
        self._steps = steps_per_epoch
        self._write = write
        self._write_best = write_best or write
        self._bar: tqdm[Never] | None = None
        self._loss = 0.0

    def on_step_end(self, state: TrainState, loss: float) -> None:
        bar = self._bar = self._open(state) if self._bar is None else self._bar
        # A running mean: the loss of one batch is too noisy to read.
        self._loss = loss if bar.n == 0 else 0.98 * self._loss + 0.02 * loss
        if bar.update():  # true when the bar was drawn, a few times a second
            bar.set_postfix_str(f"loss: {self._loss:.4f}", refresh=False)

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        self._close()
        names = ("train_loss", "train_acc", "val_loss", "val_acc")
        shown = [
            f"{name.removeprefix('train_')}: {metrics[name]:.4f}"
            for name in names
            if name in metrics
        ]
        line = " - ".join([f"Epoch {state.epoch}/{self._epochs}", *shown])
        rate = f" - lr: {metrics['learning_rate']:.3g}" if "learning_rate" in metrics else ""
        more = f"{rate} - {metrics['epoch_seconds']:.1f} s"
        is_best = any(m.get("best_epoch") == state.epoch for m in state.callback_memory.values())
        write = self._write_best if is_best else self._write
        write(line + more if len(line + more) <= _width() else line)

    def on_fit_end(self, state: TrainState) -> None:
        self._close()

    def _open(self, state: TrainState) -> tqdm[Never]:
        return tqdm(
            total=self._steps,
            desc=f"Epoch {state.epoch + 1}/{self._epochs}",
            unit="step",
            leave=False,
            disable=None,
            dynamic_ncols=True,
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _width() -> float:
    """Return how long a line may be: in a terminal, as long as that is wide."""
    if not sys.stdout.isatty():
        return math.inf
    return shutil.get_terminal_size().columns - 1
