"""Training a network: one epoch of steps, each with its gradient, its rate and its update."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.data.batches import batches
from digit_exp.data.dataset import Split
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.network import Network
from digit_exp.optim.kernels import move_towards
from digit_exp.optim.optimizers import Optimizer
from digit_exp.optim.regularizers import Regularizer, Unregularized
from digit_exp.optim.schedules import Clock, Constant, Schedule
from digit_exp.training.loop import EpochLoop
from digit_exp.training.meters import EpochMeter
from digit_exp.training.state import TrainState


@dataclass(eq=False)
class Trainer(EpochLoop[Network]):
    """Trains a network by mini-batch gradient descent.

    A run is a function of its arguments and `seed`: shuffling, augmentation and dropout draw from
    generators made anew for every epoch, so that a run resumed between two epochs ends with the
    same weights, bit for bit, as an uninterrupted one. `threads` is in how many threads the
    network calculates; another number may round sums differently. `ema` is the decay of an average
    of the weights; `ema_share` is the share of all steps that it looks back over instead.
    """

    optimizer: Optimizer
    _: KW_ONLY
    schedule: Schedule = field(default_factory=Constant)
    regularizer: Regularizer = field(default_factory=Unregularized)
    ema: float = 0.0
    ema_share: float = 0.0

    def init_state(self) -> TrainState:
        """Return the state before the first step."""
        parameters = self.network.parameters
        return TrainState(
            network=self.network,
            slots=self.optimizer.init(len(parameters), parameters.values.dtype),
            schedule_memory=self.schedule.init(),
            average=parameters.storage.copy() if self.ema or self.ema_share else None,
        )

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy on `split`, without penalty or augmentation."""
        total, correct = 0.0, 0
        for x, labels in batches(split, self.network.prediction_batch):
            loss = cross_entropy(self.network.forward(x), labels)
            total += loss.mean * len(labels)
            correct += loss.correct
        return total / len(split), correct / len(split)

    def _observe(self, state: TrainState, metrics: dict[str, float]) -> None:
        self.schedule.observe(state.schedule_memory, metrics)

    def _train_epoch(self, state: TrainState, train: Split) -> dict[str, float]:
        dropout = self.rng("dropout", state.epoch)
        steps = math.ceil(len(train) / self.batch_size)
        last_step = state.step + steps - 1
        meter = EpochMeter(self.network.parameters)
        lr, decay = 0.0, self._decay_of_average(steps)
        for x, labels in self._batches(state, train):
            lr = self._learning_rate(state, steps)
            loss, correct = self._gradients(x, labels, dropout)
            if state.step == last_step:
                meter.keep_weights()
            meter.observe(loss, correct, len(labels))
            self._update(state, meter.gradient_norm, lr, decay)
            self._emit("on_step_end", state, loss)
            if state.stop_reason is not None:
                break
        return {**meter.metrics(), "learning_rate": lr}

    def _learning_rate(self, state: TrainState, steps_per_epoch: int) -> float:
        clock = Clock(state.step, steps_per_epoch, self.epochs)
        return self.optimizer.lr * self.schedule.factor(clock, state.schedule_memory)

    def _decay_of_average(self, steps_per_epoch: int) -> float:
        steps = self.ema_share * self.epochs * steps_per_epoch
        return max(0.0, 1 - 1 / steps) if steps else self.ema

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

    def _update(self, state: TrainState, gradient_norm: float, lr: float, decay: float) -> None:
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
            decay = min(decay, (1 + state.step) / (10 + state.step))
            move_towards(state.average, parameters.storage, 1 - decay)
