"""What keeps a network from learning its training images by heart.

Penalties on the weights and the max-norm constraint are here. Dropout and label smoothing are only
strengths here: the network and the loss carry them out. Every choice has every strength and
differs from the others in its defaults, so that `regularization.l2=0.001` goes with any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.optim.sign import scaled_sign
from digit_exp.registry import Component, Fraction, NonNegative, Positive, Registry


@dataclass(frozen=True, kw_only=True)
class Regularizer(Component):
    """The contract and all behaviour. W are the weight matrices; biases are free.

    The loss gains  λ₁ Σ|W| + λ₂ ΣW²,  its gradient  λ₁ sign(W) + 2 λ₂ W.
    """

    l1: NonNegative = 0.0  # λ₁
    l2: NonNegative = 0.0  # λ₂
    dropout: Fraction = 0.0  # probability that a hidden unit is silent in a training step
    label_smoothing: Fraction = 0.0  # share of a label's probability spread over all classes
    max_norm: Positive | None = None  # largest norm of the incoming weights of a unit

    @property
    def has_penalty(self) -> bool:
        """Whether the loss gains a penalty."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, weights: Array) -> float:
        """Return what the loss gains."""
        total = 0.0
        if self.l1:
            total += self.l1 * float(np.abs(weights).sum())
        if self.l2:
            total += self.l2 * float(np.dot(weights, weights))
        return total

    def add_gradient(self, weights: Array, grads: Array) -> None:
        """Add the gradient of the penalty to `grads`; any slices of the vectors can be given."""
        if self.l1:
            grads += scaled_sign(weights, self.l1, out=np.empty_like(weights))
        if self.l2:
            grads += weights * (2 * self.l2)

    def constrain(self, matrices: Sequence[Array]) -> None:
        """Shrink, in place, each column that is longer than `max_norm`.

        A matrix has the shape (inputs, units): a column is what comes into one unit.
        """
        if self.max_norm is None:
            return
        for matrix in matrices:
            norms = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
            if norms.max() > self.max_norm:
                matrix *= self.max_norm / np.maximum(norms, self.max_norm)


REGULARIZERS: Registry[Regularizer] = Registry("regularization")


@REGULARIZERS.register("none")
@dataclass(frozen=True, kw_only=True)
class Unregularized(Regularizer):
    """The loss of the data alone."""


@REGULARIZERS.register("l1")
@dataclass(frozen=True, kw_only=True)
class L1(Regularizer):
    """The lasso (Tibshirani 1996):  + λ₁ Σ|W|.  Drives weights to zero that are not needed."""

    l1: NonNegative = 0.0001


@REGULARIZERS.register("l2")
@dataclass(frozen=True, kw_only=True)
class L2(Regularizer):
    """Weight decay in the loss (Krogh & Hertz 1991):  + λ₂ ΣW².  Keeps all weights small."""

    l2: NonNegative = 0.001


@REGULARIZERS.register("elastic_net")
@dataclass(frozen=True, kw_only=True)
class ElasticNet(Regularizer):
    """The elastic net (Zou & Hastie 2005):  + λ₁ Σ|W| + λ₂ ΣW²."""

    l1: NonNegative = 0.00001
    l2: NonNegative = 0.0001


@REGULARIZERS.register("dropout")
@dataclass(frozen=True, kw_only=True)
class Dropout(Regularizer):
    """Dropout (Srivastava et al. 2014): hidden units fall silent at random, p at a time.

    Those that are left speak 1/(1−p) times as loud, so that evaluation needs no change.
    """

    dropout: Fraction = 0.5  # p


@REGULARIZERS.register("combined")
@dataclass(frozen=True, kw_only=True)
class Combined(Regularizer):
    """Some of everything: L2, dropout and max-norm (Srivastava et al. 2014) and label smoothing.

    Label smoothing (Szegedy et al. 2016) asks for the probability 1−s+s/K of the true class and s/K
    of each of the others; max-norm shrinks the incoming weights w of a unit until ‖w‖ ≤ c.
    """

    l2: NonNegative = 0.0001
    dropout: Fraction = 0.2
    label_smoothing: Fraction = 0.05
    max_norm: Positive | None = 3.0
