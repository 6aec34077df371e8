"""The training loop: order of work, learning rate, metrics, events. It prints nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from digit_exp.arrays import Array, Labels
from digit_exp.data.augmentations import Augmentation
from digit_exp.data.batches import batches
from digit_exp.data.dataset import Split
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.network import Network
from digit_exp.optim.kernels import move_towards
from digit_exp.optim.optimizers import Optimizer
from digit_exp.optim.regularizers import Regularizer, Unregularized
from digit_exp.optim.schedules import Clock, Constant, Schedule
from digit_exp.registry import ConfigError, Problem
from digit_exp.rng import Rng
from digit_exp.training.callbacks import Callback
from digit_exp.training.meters import EpochMeter
from digit_exp.training.state import TrainState


@dataclass(eq=False)
class Trainer:
    """Trains a network by mini-batch gradient descent.

    A run is a function of its arguments and `seed`: shuffling, augmentation and dropout draw from
    generators made anew for every epoch, so that a run resumed between two epochs ends with the
    same weights, bit for bit, as an uninterrupted one. `threads` is the number of threads of BLAS;
    another number may round sums differently. `ema` is the decay of an average of the weights.
    """

    network: Network
    optimizer: Optimizer
    _: KW_ONLY
    schedule: Schedule = field(default_factory=Constant)
    regularizer: Regularizer = field(default_factory=Unregularized)
    augmentation: Augmentation | None = None
    epochs: int = 20
    batch_size: int = 32
    eval_every: int = 1
    ema: float = 0.0
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
        parameters = self.network.parameters
        return TrainState(
            network=self.network,
            slots=self.optimizer.init(len(parameters), parameters.values.dtype),
            schedule_memory=self.schedule.init(),
            average=parameters.storage.copy() if self.ema else None,
        )

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
            with np.errstate(all="ignore"), threadpool_limits(self.threads, "blas"):
                while state.epoch < self.epochs and state.stop_reason is None:
                    self._run_epoch(state, train, val)
            self.network.parameters.storage[:] = state.evaluated
        finally:
            self._emit("on_fit_end", state)
        return state

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy on `split`, without penalty or augmentation."""
        total, correct = 0.0, 0
        for x, labels in batches(split, self.network.prediction_batch):
            loss = cross_entropy(self.network.forward(x), labels)
            total += loss.mean * len(labels)
            correct += loss.correct
        return total / len(split), correct / len(split)

    def _run_epoch(self, state: TrainState, train: Split, val: Split | None) -> None:
        metrics = self._train_epoch(state, train)
        if state.stop_reason is not None:
            return  # stopped between two steps: half an epoch is not recorded
        state.epoch += 1
        due = state.epoch % self.eval_every == 0 or state.epoch == self.epochs
        if val is not None and len(val) and due:
            with state.averaged():
                metrics["val_loss"], metrics["val_acc"] = self.evaluate(val)
        self.schedule.observe(state.schedule_memory, metrics)
        state.history.append(metrics)
        self._emit("on_epoch_end", state, metrics)

    def _train_epoch(self, state: TrainState, train: Split) -> dict[str, float]:
        """Run the steps of one epoch and return their metrics."""
        shuffle = self.rng("shuffle", state.epoch)
        augment = self.rng("augment", state.epoch)
        dropout = self.rng("dropout", state.epoch)
        steps = math.ceil(len(train) / self.batch_size)
        last_step = state.step + steps - 1
        meter = EpochMeter(self.network.parameters)
        lr = 0.0

        start = time.perf_counter()
        for x, labels in batches(train, self.batch_size, shuffle.permutation(len(train))):
            if self.augmentation is not None:
                x = self.augmentation(x, augment)
            lr = self._learning_rate(state, steps)
            loss, correct = self._gradients(x, labels, dropout)
            if state.step == last_step:
                meter.keep_weights()
            meter.observe(loss, correct, len(labels))
            self._update(state, meter.gradient_norm, lr)
            self._emit("on_step_end", state, loss)
            if state.stop_reason is not None:
                break
        seconds = time.perf_counter() - start
        return {
            "epoch": state.epoch + 1,
            **meter.metrics(),
            "learning_rate": lr,
            "epoch_seconds": seconds,
            "images_per_second": len(train) / seconds,
        }

    def _learning_rate(self, state: TrainState, steps_per_epoch: int) -> float:
        clock = Clock(state.step, steps_per_epoch, self.epochs)
        return self.optimizer.lr * self.schedule.factor(clock, state.schedule_memory)

    def _gradients(
        self, x: Array, labels: Labels, dropout: np.random.Generator
    ) -> tuple[float, int]:
        """Write the gradient of the objective on one batch; return the loss and the hits."""
        network, regularizer = self.network, self.regularizer
        logits = network.forward(x, dropout)
        loss = cross_entropy(logits, labels, regularizer.label_smoothing)
        network.backward(loss.gradient)
        weights, weight_grads = network.parameters.weights, network.parameters.weight_grads
        regularizer.add_gradient(weights, weight_grads)
        return loss.mean + regularizer.penalty(weights), loss.correct

    def _update(self, state: TrainState, gradient_norm: float, lr: float) -> None:
        parameters, optimizer = self.network.parameters, self.optimizer
        limit = optimizer.clip_norm
        if limit is not None and gradient_norm > limit:
            parameters.grads *= limit / gradient_norm
        state.step += 1
        optimizer.decay(parameters.weights, lr)
        optimizer.update(parameters.values, parameters.grads, state.slots, lr, state.step)
        self.regularizer.constrain(parameters.matrices)
        if state.average is not None:
            # The first steps count for more, or the random start would stay in the average.
            decay = min(self.ema, (1 + state.step) / (10 + state.step))
            move_towards(state.average, parameters.storage, 1 - decay)

    def _emit(self, event: str, *arguments: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*arguments)


def _check_data(network: Network, name: str, split: Split | None) -> None:
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
