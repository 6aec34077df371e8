"""What every kind of training shares: epochs, evaluation, events. It prints nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Generic, TypeVar

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.data.augmentations import Augmentation
from digit_exp.data.batches import batches
from digit_exp.data.dataset import Split
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError, Problem
from digit_exp.rng import Rng
from digit_exp.threads import threads_for
from digit_exp.training.callbacks import Callback
from digit_exp.training.state import TrainState

N = TypeVar("N", bound=Network | Learner)


@dataclass(eq=False)
class EpochLoop(Generic[N]):
    """Trains epoch by epoch; a subclass says how one epoch is trained and what is evaluated."""

    network: N
    _: KW_ONLY
    augmentation: Augmentation | None = None
    epochs: int = 20
    batch_size: int = 32
    eval_every: int = 1
    seed: int = 42
    threads: int = 1
    callbacks: Sequence[Callback] = ()

    def __post_init__(self) -> None:
        least = {"epochs": 0, "batch_size": 1, "eval_every": 1, "threads": 1}
        problems = [
            Problem(name, f"must be at least {limit}, got {getattr(self, name)!r}")
            for name, limit in least.items()
            if getattr(self, name) < limit
        ]
        if problems:
            raise ConfigError(*problems)
        self.rng = Rng(self.seed)

    def init_state(self) -> TrainState:
        """Return the state before the first step."""
        return TrainState(network=self.network, slots={})

    def _train_epoch(self, state: TrainState, train: Split) -> dict[str, float]:
        """Run the steps of one epoch and return their metrics."""
        raise NotImplementedError

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy on `split`, without penalty or augmentation."""
        raise NotImplementedError

    def _observe(self, state: TrainState, metrics: dict[str, float]) -> None:
        """Let a schedule see the metrics of an epoch. Nothing by default."""

    def fit(
        self, train: Split, val: Split | None = None, state: TrainState | None = None
    ) -> TrainState:
        """Train until the last epoch or until a callback sets `state.stop_reason`.

        Afterwards the network holds the weights that were evaluated: their average if one is
        kept, and the best epoch's if a callback restores them. Given the `state` of a checkpoint,
        training goes on where that one ended. Raises ValueError if that is of another network, if
        there is nothing to train on, if data do not suit the network, or if a callback watches
        validation and there is none.
        """
        if len(train) == 0:
            raise ValueError("the training set is empty")
        for name, split in (("training", train), ("validation", val)):
            _check_data(self.network, name, split)
        watched = [c.monitor for c in self.callbacks if c.monitor.startswith("val_")]
        if watched and not val:
            raise ValueError(f"a callback watches {watched[0]}, but there is no validation set")
        state = state or self.init_state()
        if state.network is not self.network:
            raise ValueError(
                "the state is that of another network; make the trainer with Trainer(state.network)"
            )
        self._emit("on_fit_start", state)
        try:
            # A diverging run overflows on its way; callbacks watch the loss, no warning is needed.
            with np.errstate(all="ignore"), threads_for(self.network, self.threads):
                while state.epoch < self.epochs and state.stop_reason is None:
                    self._run_epoch(state, train, val)
            if state.average is not None:
                self.network.restore(state.average)
        finally:
            self._emit("on_fit_end", state)
        return state

    def _run_epoch(self, state: TrainState, train: Split, val: Split | None) -> None:
        start = time.perf_counter()
        measured = self._train_epoch(state, train)
        seconds = time.perf_counter() - start
        if state.stop_reason is not None:
            return  # stopped between two steps: half an epoch is not recorded
        state.epoch += 1
        speed = {"epoch_seconds": seconds, "images_per_second": len(train) / seconds}
        metrics = {"epoch": state.epoch, **measured, **speed}
        due = state.epoch % self.eval_every == 0 or state.epoch == self.epochs
        if val is not None and len(val) and due:
            with state.averaged():
                metrics["val_loss"], metrics["val_acc"] = self.evaluate(val)
        self._observe(state, metrics)
        state.history.append(metrics)
        self._emit("on_epoch_end", state, metrics)

    def _batches(self, state: TrainState, train: Split) -> Iterator[tuple[Array, Labels]]:
        """Yield the batches of an epoch, shuffled and augmented."""
        shuffle, augment = self.rng("shuffle", state.epoch), self.rng("augment", state.epoch)
        for x, labels in batches(train, self.batch_size, shuffle.permutation(len(train))):
            yield (x if self.augmentation is None else self.augmentation(x, augment)), labels

    def _emit(self, event: str, *arguments: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*arguments)


def _check_data(network: Network | Learner, name: str, split: Split | None) -> None:
    """Raise ValueError unless the network takes these images and knows these labels."""
    if split is None or not len(split):
        return
    pixels = split.images[0].size
    if pixels != network.inputs:
        raise ValueError(
            f"the {name} images have {pixels} pixels, the network takes {network.inputs}"
        )
    wrong = [v for v in (split.labels.min(), split.labels.max()) if not 0 <= v < network.classes]
    if wrong:
        raise ValueError(
            f"the {name} labels must be 0 to {network.classes - 1} for a network of"
            f" {network.classes} classes, got {wrong[0]}"
        )
