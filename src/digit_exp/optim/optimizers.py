"""Optimizers: the update of a flat vector of parameters by a flat vector of gradients.

An optimizer knows neither layers nor data, and what it remembers is in `slots`. Its `rule` is the
equation for one number; `apply` runs it over the vectors. The conventions are those of PyTorch.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from digit_exp.arrays import Array
from digit_exp.optim.kernels import Constants, Rule, apply
from digit_exp.registry import Component, Fraction, NonNegative, Positive, Range, Registry

Slots = dict[str, Array]
"""What an optimizer remembers: named vectors, each as long as the vector of values."""

Epsilon = Annotated[float, Range(ge=1e-30)]
"""Keeps a denominator above 0. A much smaller number would itself be 0 in float32."""


class Optimizer(Component):
    """The contract. θ are the values, g the gradients, η the learning rate, t the step.

    A subclass names its slots and writes `constants` and `rule`.
    """

    slot_names: ClassVar[tuple[str, ...]] = ()  # at most two
    rule: ClassVar[Rule]  # (θ, g, *slots, constants) -> the new θ and slots; see optim/kernels.py

    lr: NonNegative = 0.001
    clip_norm: Positive | None = None  # largest norm of all gradients together; the trainer clips

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        """Return the slots of a new run, for vectors of `size` numbers. All 0 by default."""
        return {name: np.zeros(size, dtype) for name in self.slot_names}

    def constants(self, lr: float, step: int) -> Constants:
        """Return what `rule` uses in step number `step`, from 1."""
        raise NotImplementedError

    def decay(self, weights: Array, lr: float) -> None:
        """Shrink `weights` in place before `update`: decoupled weight decay. None by default."""

    def update(self, values: Array, grads: Array, slots: Slots, lr: float, step: int) -> None:
        """Take step number `step`, from 1: change `values` and `slots` in place."""
        vectors = [slots[name] for name in self.slot_names]
        apply(self.rule, values, grads, vectors, constants=self.constants(lr, step))


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent (Robbins & Monro 1951):  θ ← θ − η g."""

    lr: NonNegative = 0.2

    def constants(self, lr: float, step: int) -> Constants:
        return (lr,)

    @staticmethod
    def rule(theta: Array, g: Array, constants: Constants) -> tuple[Array]:
        (eta,) = constants
        return (theta - eta * g,)


@OPTIMIZERS.register("momentum")
class Momentum(Optimizer):
    """Heavy-ball momentum (Polyak 1964):  v ← μ v + g;  θ ← θ − η v."""

    slot_names = ("v",)
    lr: NonNegative = 0.02
    momentum: Fraction = 0.9  # μ

    def constants(self, lr: float, step: int) -> Constants:
        return lr, self.momentum

    @staticmethod
    def rule(theta: Array, g: Array, v: Array, constants: Constants) -> tuple[Array, Array]:
        eta, mu = constants
        v = mu * v + g
        return theta - eta * v, v


@OPTIMIZERS.register("nesterov")
class Nesterov(Momentum):
    """Nesterov's momentum (Sutskever et al. 2013):  v ← μ v + g;  θ ← θ − η (g + μ v)."""

    @staticmethod
    def rule(theta: Array, g: Array, v: Array, constants: Constants) -> tuple[Array, Array]:
        eta, mu = constants
        v = mu * v + g
        return theta - eta * (g + mu * v), v


@OPTIMIZERS.register("adagrad")
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011):  s ← s + g²;  θ ← θ − η g / (√s + ε)."""

    slot_names = ("s",)
    lr: NonNegative = 0.03
    eps: Epsilon = 1e-10
    initial_accumulator: NonNegative = 0.0  # s before the first step

    def init(self, size: int, dtype: np.dtype[np.floating]) -> Slots:
        return {"s": np.full(size, self.initial_accumulator, dtype)}

    def constants(self, lr: float, step: int) -> Constants:
        return lr, self.eps

    @staticmethod
    def rule(theta: Array, g: Array, s: Array, constants: Constants) -> tuple[Array, Array]:
        eta, eps = constants
        s = s + g * g
        return theta - eta * g / (np.sqrt(s) + eps), s


@OPTIMIZERS.register("rmsprop")
class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012):  v ← α v + (1−α) g²;  θ ← θ − η g / (√v + ε)."""

    slot_names = ("v",)
    lr: NonNegative = 0.001
    alpha: Fraction = 0.99
    eps: Epsilon = 1e-8

    def constants(self, lr: float, step: int) -> Constants:
        return lr, self.alpha, 1 - self.alpha, self.eps

    @staticmethod
    def rule(theta: Array, g: Array, v: Array, constants: Constants) -> tuple[Array, Array]:
        eta, alpha, rest, eps = constants
        v = alpha * v + rest * g * g
        return theta - eta * g / (np.sqrt(v) + eps), v


@OPTIMIZERS.register("adam")
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015).

    m ← β₁ m + (1−β₁) g;  v ← β₂ v + (1−β₂) g²;
    θ ← θ − η m̂ / (√v̂ + ε)  with  m̂ = m / (1−β₁ᵗ),  v̂ = v / (1−β₂ᵗ).
    """

    slot_names = ("m", "v")
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Epsilon = 1e-8

    def constants(self, lr: float, step: int) -> Constants:
        beta1, beta2 = self.beta1, self.beta2
        unbias1, unbias2 = 1 / (1 - beta1**step), 1 / (1 - beta2**step)
        return lr, beta1, 1 - beta1, beta2, 1 - beta2, unbias1, unbias2, self.eps

    @staticmethod
    def rule(
        theta: Array, g: Array, m: Array, v: Array, constants: Constants
    ) -> tuple[Array, Array, Array]:
        eta, beta1, rest1, beta2, rest2, unbias1, unbias2, eps = constants
        m = beta1 * m + rest1 * g
        v = beta2 * v + rest2 * g * g
        m_hat, v_hat = unbias1 * m, unbias2 * v
        return theta - eta * m_hat / (np.sqrt(v_hat) + eps), m, v


@OPTIMIZERS.register("adamw")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019):  W ← W − η λ W, then Adam."""

    weight_decay: NonNegative = 0.01  # λ

    def decay(self, weights: Array, lr: float) -> None:
        weights *= 1 - lr * self.weight_decay


@OPTIMIZERS.register("nadam")
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016), as in PyTorch; m, v and v̂ as in Adam.

    θ ← θ − η (a g + b m) / (√v̂ + ε)  with  a = (1−μₜ) / (1−Πₜ),  b = μₜ₊₁ / (1−Πₜ₊₁),
    where the momentum warms up as  μₜ = β₁ (1 − ½ · 0.96^(ψt)),  and  Πₜ = μ₁ μ₂ … μₜ.
    """

    slot_names = ("m", "v")
    lr: NonNegative = 0.002
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Epsilon = 1e-8
    momentum_decay: NonNegative = 0.004  # ψ

    def constants(self, lr: float, step: int) -> Constants:
        beta1, beta2 = self.beta1, self.beta2
        a, b = self._shares(step)
        return lr, beta1, 1 - beta1, beta2, 1 - beta2, a, b, 1 / (1 - beta2**step), self.eps

    @staticmethod
    def rule(
        theta: Array, g: Array, m: Array, v: Array, constants: Constants
    ) -> tuple[Array, Array, Array]:
        eta, beta1, rest1, beta2, rest2, a, b, unbias2, eps = constants
        m = beta1 * m + rest1 * g
        v = beta2 * v + rest2 * g * g
        return theta - eta * (a * g + b * m) / (np.sqrt(unbias2 * v) + eps), m, v

    def _shares(self, step: int) -> tuple[float, float]:
        """Return a and b."""
        product = _warmup_product(self.beta1, self.momentum_decay, step)
        mu, following = (_warmup(self.beta1, self.momentum_decay, t) for t in (step, step + 1))
        return (1 - mu) / (1 - product), following / (1 - product * following)


@OPTIMIZERS.register("lion")
class Lion(Optimizer):
    """Lion, evolved sign momentum (Chen et al. 2023, algorithm 2).

    W ← W − η λ W;  θ ← θ − η sign(β₁ m + (1−β₁) g);  m ← β₂ m + (1−β₂) g.

    Every step has the same size η, so η is 3 to 10 times smaller than Adam's.
    """

    slot_names = ("m",)
    lr: NonNegative = 0.0002
    beta1: Fraction = 0.9
    beta2: Fraction = 0.99
    weight_decay: NonNegative = 0.0  # λ

    def constants(self, lr: float, step: int) -> Constants:
        return lr, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2

    def decay(self, weights: Array, lr: float) -> None:
        weights *= 1 - lr * self.weight_decay

    @staticmethod
    def rule(theta: Array, g: Array, m: Array, constants: Constants) -> tuple[Array, Array]:
        eta, beta1, rest1, beta2, rest2 = constants
        direction = np.sign(beta1 * m + rest1 * g)
        return theta - eta * direction, beta2 * m + rest2 * g


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
