"""L1, L2 and max-norm penalties; strengths of dropout and label smoothing.

The network carries out dropout, and the loss label smoothing. Every choice has every strength and
differs from the others in its defaults, so that `regularization.l2=0.001` goes with any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from digit_exp.arrays import Array
from digit_exp.optim.kernels import Constants, add_up_penalty, apply, shorten_columns
from digit_exp.registry import Component, Fraction, NonNegative, Positive, Registry

PARTIAL_SUMS = 1024
"""A penalty is added up in so many sums: each stays small, and so does its rounding error."""


class Regularizer(Component):
    """The contract and all behaviour. W are the weight matrices; biases are not penalized.

    The loss gains  λ₁ Σ|W| + λ₂ ΣW²,  its gradient  λ₁ sign(W) + 2 λ₂ W.
    """

    l1: NonNegative = 0.0  # λ₁
    l2: NonNegative = 0.0  # λ₂
    dropout: Fraction = 0.0  # probability that a hidden unit is zeroed in a training step
    label_smoothing: Fraction = 0.0  # share of a label's probability spread over all classes
    max_norm: Positive | None = None  # largest norm of the incoming weights of a unit

    @property
    def has_penalty(self) -> bool:
        """Whether the loss gains a penalty."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, weights: Array) -> float:
        """Return what the loss gains."""
        if not self.has_penalty:
            return 0.0
        sums = np.zeros(PARTIAL_SUMS, weights.dtype)
        number = weights.dtype.type
        add_up_penalty(weights, sums, number(self.l1), number(self.l2))
        return float(sums.sum())

    def add_gradient(self, weights: Array, grads: Array) -> None:
        """Add the gradient of the penalty to `grads`."""
        if self.has_penalty:
            apply(self.rule, grads, weights, constants=(self.l1, 2 * self.l2))

    @staticmethod
    def rule(g: Array, w: Array, constants: Constants) -> tuple[Array]:
        """Return the gradient of one weight with that of its penalty."""
        l1, twice_l2 = constants
        return (g + l1 * np.sign(w) + twice_l2 * w,)

    def constrain(self, matrices: Sequence[Array]) -> None:
        """Shrink, in place, each column that is longer than `max_norm`.

        A matrix has the shape (inputs, units): a column is what comes into one unit.
        """
        if self.max_norm is None:
            return
        for matrix in matrices:
            factors = np.zeros(matrix.shape[1], matrix.dtype)
            shorten_columns(matrix, factors, matrix.dtype.type(self.max_norm))


REGULARIZERS: Registry[Regularizer] = Registry("regularization")


@REGULARIZERS.register("none")
class Unregularized(Regularizer):
    """The loss of the data alone."""


@REGULARIZERS.register("l1")
class L1(Regularizer):
    """The lasso (Tibshirani 1996):  + λ₁ Σ|W|.  Drives unneeded weights to zero."""

    l1: NonNegative = 0.0001


@REGULARIZERS.register("l2")
class L2(Regularizer):
    """Weight decay in the loss (Krogh & Hertz 1991):  + λ₂ ΣW².  Keeps all weights small."""

    l2: NonNegative = 0.001


@REGULARIZERS.register("elastic_net")
class ElasticNet(Regularizer):
    """The elastic net (Zou & Hastie 2005):  + λ₁ Σ|W| + λ₂ ΣW²."""

    l1: NonNegative = 0.00001
    l2: NonNegative = 0.0001


@REGULARIZERS.register("dropout")
class Dropout(Regularizer):
    """Dropout (Srivastava et al. 2014): each hidden unit is zeroed with probability p.

    The rest are scaled by 1/(1−p), so that evaluation needs no change.
    """

    dropout: Fraction = 0.5  # p


@REGULARIZERS.register("combined")
class Combined(Regularizer):
    """L2, dropout and max-norm (Srivastava et al. 2014), and label smoothing.

    Label smoothing (Szegedy et al. 2016) has the target 1−s+s/K for the true class and s/K for
    every other one; max-norm shrinks the incoming weights w of a unit until ‖w‖ ≤ c.
    """

    l2: NonNegative = 0.0001
    dropout: Fraction = 0.2
    label_smoothing: Fraction = 0.05
    max_norm: Positive | None = 3.0
