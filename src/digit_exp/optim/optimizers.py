"""How the parameters move: one flat vector of values against one of gradients.

An optimizer sees neither layers nor data, and what it remembers lies in `slots`. The conventions
are those of PyTorch. This is the hot path. Every pass over the vectors is written out and in place,
`grads` is scratch space, at most one temporary vector is taken, and the constants of an equation
are folded into as few passes as it allows. Scalars are Python floats: a `np.float64` would draw
float32 vectors into float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from digit_exp.arrays import Array
from digit_exp.optim.sign import scaled_sign
from digit_exp.registry import Component, Fraction, NonNegative, Positive, Range, Registry

Slots = dict[str, Array]
"""What an optimizer remembers: named vectors, each as long as the vector of values."""

Epsilon = Annotated[float, Range(ge=1e-30)]
"""A guard of a denominator: much smaller, and it would be 0 in float32."""


@dataclass(frozen=True, kw_only=True)
class Optimizer(Component):
    """The contract. θ are the values, g the gradients, η the learning rate, t the step."""

    lr: NonNegative = 0.001
    clip_norm: Positive | None = None  # largest norm of all gradients together; the trainer clips

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        """Return the slots of a new run, for vectors of `size` numbers. None by default."""
        return {}

    def decay(self, weights: Array, lr: float) -> None:
        """Shrink `weights` in place before `update`: decoupled weight decay. None by default."""

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        """Take step number `step`, from 1: change `values` and `slots` in place, spoil `grads`.

        No element depends on another, so that any slices of the vectors can be updated alone.
        """
        raise NotImplementedError


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent (Robbins & Monro 1951):  θ ← θ − η g."""

    lr: NonNegative = 0.2

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        grads *= lr
        values -= grads


@OPTIMIZERS.register("momentum")
@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """Heavy-ball momentum (Polyak 1964):  v ← μ v + g;  θ ← θ − η v."""

    lr: NonNegative = 0.02
    momentum: Fraction = 0.9  # μ

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"v": np.zeros(size, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        v = slots["v"]
        v *= self.momentum
        v += grads
        np.multiply(v, lr, out=grads)
        values -= grads


@OPTIMIZERS.register("nesterov")
@dataclass(frozen=True, kw_only=True)
class Nesterov(Optimizer):
    """Nesterov's momentum (Sutskever et al. 2013):  v ← μ v + g;  θ ← θ − η (g + μ v).

    The slot holds w = μ v, which saves a pass:  w ← μ (w + g);  θ ← θ − η (g + w).
    """

    lr: NonNegative = 0.02
    momentum: Fraction = 0.9  # μ

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"w": np.zeros(size, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        w = slots["w"]
        w += grads
        w *= self.momentum
        grads += w
        grads *= lr
        values -= grads


@OPTIMIZERS.register("adagrad")
@dataclass(frozen=True, kw_only=True)
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011):  s ← s + g²;  θ ← θ − η g / (√s + ε)."""

    lr: NonNegative = 0.03
    eps: Epsilon = 1e-10
    initial_accumulator: NonNegative = 0.0  # s before the first step

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"s": np.full(size, self.initial_accumulator, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        s, scratch = slots["s"], grads * grads
        s += scratch
        np.sqrt(s, out=scratch)
        scratch += self.eps
        grads /= scratch
        grads *= lr
        values -= grads


@OPTIMIZERS.register("rmsprop")
@dataclass(frozen=True, kw_only=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012):  v ← α v + (1−α) g²;  θ ← θ − η g / (√v + ε).

    The slot holds the sum V = v / (1−α), so that V ← α V + g². With c = √(1−α), the denominator
    √v + ε is c (√V + ε/c):  θ ← θ − η/c · g / (√V + ε/c).
    """

    lr: NonNegative = 0.001
    alpha: Fraction = 0.99
    eps: Epsilon = 1e-8

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"v": np.zeros(size, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        v, scratch = slots["v"], grads * grads
        v *= self.alpha
        v += scratch
        c = math.sqrt(1 - self.alpha)
        np.sqrt(v, out=scratch)
        scratch += self.eps / c
        grads /= scratch
        grads *= lr / c
        values -= grads


@OPTIMIZERS.register("adam")
@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015).

    m ← β₁ m + (1−β₁) g;  v ← β₂ v + (1−β₂) g²;
    θ ← θ − η m̂ / (√v̂ + ε)  with  m̂ = m / (1−β₁ᵗ),  v̂ = v / (1−β₂ᵗ).

    The slots hold the sums M = m / (1−β₁) and V = v / (1−β₂), so that M ← β₁ M + g and
    V ← β₂ V + g². With c = √((1−β₂) / (1−β₂ᵗ)), √v̂ is c √V, and all other constants move into one:

    θ ← θ − η (1−β₁) / ((1−β₁ᵗ) c) · M / (√V + ε/c).

    That is ten passes, without a temporary. The sums are at most 1/(1−β) times as large as the
    means, with the same relative rounding; far from the ends of float32 either way.
    """

    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Epsilon = 1e-8

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"m": np.zeros(size, dtype), "v": np.zeros(size, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        m, v = slots["m"], slots["v"]
        m *= self.beta1
        m += grads
        grads *= grads
        v *= self.beta2
        v += grads
        c = math.sqrt((1 - self.beta2) / (1 - self.beta2**step))
        np.sqrt(v, out=grads)
        grads += self.eps / c
        np.divide(m, grads, out=grads)
        grads *= lr * (1 - self.beta1) / ((1 - self.beta1**step) * c)
        values -= grads


@OPTIMIZERS.register("adamw")
@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019):  W ← W − η λ W, then Adam."""

    weight_decay: NonNegative = 0.01  # λ

    def decay(self, weights: Array, lr: float) -> None:
        weights *= 1 - lr * self.weight_decay


@OPTIMIZERS.register("nadam")
@dataclass(frozen=True, kw_only=True)
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016), as in PyTorch; m, v, v̂ and c as in Adam.

    θ ← θ − η (a g + b m) / (√v̂ + ε)  with  a = (1−μₜ) / (1−Πₜ),  b = μₜ₊₁ / (1−Πₜ₊₁),
    the momentum warming up as  μₜ = β₁ (1 − ½ · 0.96^(ψt)),  and  Πₜ = μ₁ μ₂ … μₜ.
    """

    lr: NonNegative = 0.002
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Epsilon = 1e-8
    momentum_decay: NonNegative = 0.004  # ψ

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"m": np.zeros(size, dtype), "v": np.zeros(size, dtype)}

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        m, v, scratch = slots["m"], slots["v"], grads * grads
        m *= self.beta1
        m += grads
        v *= self.beta2
        v += scratch
        c = math.sqrt((1 - self.beta2) / (1 - self.beta2**step))
        of_gradient, of_mean = self._shares(step)
        np.multiply(m, lr * of_mean * (1 - self.beta1) / c, out=scratch)
        grads *= lr * of_gradient / c
        grads += scratch
        np.sqrt(v, out=scratch)
        scratch += self.eps / c
        grads /= scratch
        values -= grads

    def _shares(self, step: int) -> tuple[float, float]:
        """Return a and b."""
        product = _warmup_product(self.beta1, self.momentum_decay, step)
        mu, following = (_warmup(self.beta1, self.momentum_decay, t) for t in (step, step + 1))
        return (1 - mu) / (1 - product), following / (1 - product * following)


@OPTIMIZERS.register("lion")
@dataclass(frozen=True, kw_only=True)
class Lion(Optimizer):
    """Lion, evolved sign momentum (Chen et al. 2023, algorithm 2).

    W ← W − η λ W;  θ ← θ − η sign(β₁ m + (1−β₁) g);  m ← β₂ m + (1−β₂) g.

    Every step has the same size η, so η is 3 to 10 times smaller than Adam's. The slot holds the
    sum M = m / (1−β₂); the sign is that of β₁ (1−β₂) / (1−β₁) · M + g.
    """

    lr: NonNegative = 0.0002
    beta1: Fraction = 0.9
    beta2: Fraction = 0.99
    weight_decay: NonNegative = 0.0  # λ

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"m": np.zeros(size, dtype)}

    def decay(self, weights: Array, lr: float) -> None:
        weights *= 1 - lr * self.weight_decay

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        m = slots["m"]
        scratch = m * (self.beta1 * (1 - self.beta2) / (1 - self.beta1))
        scratch += grads
        values -= scaled_sign(scratch, lr, out=scratch)
        m *= self.beta2
        m += grads


_NADAM_BASE = 0.96


def _warmup(beta1: float, momentum_decay: float, step: int) -> float:
    """Return NAdam's μₜ."""
    return beta1 * (1 - 0.5 * math.pow(_NADAM_BASE, step * momentum_decay))


def _warmup_product(beta1: float, momentum_decay: float, step: int) -> float:
    """Return NAdam's Πₜ from t alone, in a time that does not grow with t.

    With μᵢ = β₁ (1 − ½ qⁱ) and −ln(1−x) = Σₖ xᵏ/k, the sum over i becomes geometric:
    −ln(Πₜ / β₁ᵗ) = Σₖ ½ᵏ/k · (qᵏ + q²ᵏ + … + qᵗᵏ). The terms beyond ½⁶⁰ do not count.
    """
    bound = beta1**step
    if bound < 1e-17:  # then 1 − Πₜ is 1
        return 0.0
    log_q = momentum_decay * math.log(_NADAM_BASE)
    return bound * math.exp(-sum(0.5**k / k * _powers(k * log_q, step) for k in range(1, 61)))


def _powers(log_ratio: float, count: int) -> float:
    """Return r + r² + … + rⁿ for r = exp(log_ratio)."""
    if log_ratio == 0:
        return count
    return math.exp(log_ratio) * math.expm1(count * log_ratio) / math.expm1(log_ratio)
