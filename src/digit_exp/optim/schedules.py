"""Learning-rate schedules: the factor that multiplies `optimizer.lr` at each step.

A factor and not a rate, so that optimizer and schedule can be chosen independently. It depends on
the clock alone, except for `plateau`, which also remembers the metrics of past epochs.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Annotated, NamedTuple

from digit_exp.arrays import Metrics
from digit_exp.registry import (
    Component,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Probability,
    Range,
    Registry,
)

Memory = dict[str, float]
"""What a schedule remembers: named numbers."""

Drop = Annotated[float, Range(gt=0, le=1)]
"""The factor of one drop of the learning rate."""

Divisor = Annotated[float, Range(ge=1)]
"""A divisor of the learning rate."""


class Clock(NamedTuple):
    """The position in a run.

    >>> Clock(step=25, steps_per_epoch=10, epochs=4).epoch
    2
    """

    step: int  # steps taken, so 0 for the first
    steps_per_epoch: int
    epochs: int

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.steps_per_epoch

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs


class Schedule(Component):
    """The contract. e is the epoch (from 0) of E, t the step (from 0) of T."""

    def init(self) -> Memory:
        """Return the memory of a new run. None by default."""
        return {}

    def factor(self, clock: Clock, memory: Memory) -> float:
        """Return what `optimizer.lr` is multiplied by, in [0, 1]. Changes nothing."""
        raise NotImplementedError

    def observe(self, memory: Memory, metrics: Metrics) -> None:
        """Update `memory` with the metrics of an epoch. Nothing by default."""


SCHEDULES: Registry[Schedule] = Registry("schedule")


@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same learning rate throughout:  1."""

    def factor(self, clock: Clock, memory: Memory) -> float:
        return 1.0


@SCHEDULES.register("step")
class Step(Schedule):
    """A drop every N epochs:  d^⌊e/N⌋."""

    drop_rate: Drop = 0.5  # d
    epochs_drop: Count = 10  # N

    def factor(self, clock: Clock, memory: Memory) -> float:
        return self.drop_rate ** (clock.epoch // self.epochs_drop)


@SCHEDULES.register("exponential")
class Exponential(Schedule):
    """Exponential decay by epochs:  γᵉ."""

    decay_rate: Drop = 0.95  # γ

    def factor(self, clock: Clock, memory: Memory) -> float:
        return self.decay_rate**clock.epoch


@SCHEDULES.register("cosine")
class Cosine(Schedule):
    """Cosine annealing by epochs (Loshchilov & Hutter 2017):  f + (1−f) (1 + cos(π e/E)) / 2."""

    min_factor: Probability = 0.0  # f

    def factor(self, clock: Clock, memory: Memory) -> float:
        return _anneal(1.0, self.min_factor, _progress(clock.epoch, 0, clock.epochs))


@SCHEDULES.register("warmup_exponential")
class WarmupExponential(Schedule):
    """Linear warm-up over W epochs, (e+1)/W, then exponential decay:  γ^(e−W)."""

    warmup_epochs: CountOrZero = 5  # W
    decay_rate: Drop = 0.95  # γ

    def factor(self, clock: Clock, memory: Memory) -> float:
        if clock.epoch < self.warmup_epochs:
            return (clock.epoch + 1) / self.warmup_epochs
        return self.decay_rate ** (clock.epoch - self.warmup_epochs)


@SCHEDULES.register("warmup_cosine")
class WarmupCosine(Schedule):
    """Linear warm-up (Goyal et al. 2017), then cosine annealing, both changing at every step.

    (t+1)/U over the U steps of W epochs, then  f + (1−f) (1 + cos(π (t−U)/(T−U))) / 2.
    """

    warmup_epochs: CountOrZero = 5  # W
    min_factor: Probability = 0.0  # f

    def factor(self, clock: Clock, memory: Memory) -> float:
        warmup = self.warmup_epochs * clock.steps_per_epoch
        if clock.step < warmup:
            return (clock.step + 1) / warmup
        return _anneal(1.0, self.min_factor, _progress(clock.step, warmup, clock.total_steps))


@SCHEDULES.register("one_cycle")
class OneCycle(Schedule):
    """One cycle (Smith & Topin 2019), changing at every step, as in PyTorch.

    A cosine from 1/D up to 1 over the share p of the steps, another one down to 1/(D·F).
    `optimizer.lr` is the peak.
    """

    pct_start: Fraction = 0.3  # p
    div_factor: Divisor = 25.0  # D
    final_div_factor: Divisor = 1e4  # F

    def factor(self, clock: Clock, memory: Memory) -> float:
        start = 1 / self.div_factor
        last = clock.total_steps - 1
        peak = max(self.pct_start * clock.total_steps - 1, 0.0)
        if clock.step < peak:
            return _anneal(start, 1.0, clock.step / peak)
        return _anneal(1.0, start / self.final_div_factor, _progress(clock.step, peak, last))


class Monitor(Enum):
    """The metrics that can be monitored. A loss should fall, an accuracy rise."""

    train_loss = "train_loss"
    train_acc = "train_acc"
    val_loss = "val_loss"
    val_acc = "val_acc"

    @property
    def rises(self) -> bool:
        """Whether more is better."""
        return self in (Monitor.train_acc, Monitor.val_acc)


@SCHEDULES.register("plateau")
class Plateau(Schedule):
    """A drop when a metric has stopped improving, as PyTorch's ReduceLROnPlateau (relative mode).

    An epoch is bad unless its metric beats the best one by the relative `threshold`. After more
    than `patience` bad epochs in a row the factor is multiplied by `drop_rate`, and the next
    `cooldown` epochs are not counted. An epoch without the metric changes nothing.
    """

    monitor: Monitor = Monitor.val_loss
    drop_rate: Drop = 0.5
    patience: CountOrZero = 2
    threshold: NonNegative = 0.0001
    cooldown: CountOrZero = 0
    min_factor: Probability = 0.0

    def init(self) -> Memory:
        worst = -math.inf if self.monitor.rises else math.inf
        return {"factor": 1.0, "best": worst, "bad_epochs": 0.0, "cooldown": 0.0}

    def factor(self, clock: Clock, memory: Memory) -> float:
        return memory["factor"]

    def observe(self, memory: Memory, metrics: Metrics) -> None:
        if self.monitor.value not in metrics:
            return
        value = float(metrics[self.monitor.value])
        if self._is_better(value, memory["best"]):
            memory["best"] = value
            memory["bad_epochs"] = 0.0
        else:
            memory["bad_epochs"] += 1
        if memory["cooldown"] > 0:
            memory["cooldown"] -= 1
            memory["bad_epochs"] = 0.0
        if memory["bad_epochs"] > self.patience:
            memory["factor"] = max(memory["factor"] * self.drop_rate, self.min_factor)
            memory["cooldown"] = float(self.cooldown)
            memory["bad_epochs"] = 0.0

    def _is_better(self, value: float, best: float) -> bool:
        if self.monitor.rises:
            return value > best * (1 + self.threshold)
        return value < best * (1 - self.threshold)


def _anneal(start: float, end: float, progress: float) -> float:
    """Return the point of a half cosine from `start` to `end`; `end` for a progress above 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def _progress(step: int, first: float, last: float) -> float:
    """Return the share of the way from `first` to `last`, and 0 if they are equal."""
    return (step - first) / (last - first) if last > first else 0.0
