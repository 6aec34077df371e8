"""The exponential moving average of the weights, which is evaluated instead of them."""

from __future__ import annotations

from digit_exp.arrays import Array
from digit_exp.optim.kernels import Constants, apply


def move_towards(average: Array, values: Array, share: float) -> None:
    """Move `average` in place by a share s of the way to the values x:  a ← a + s (x − a)."""
    apply(rule, average, values, constants=(share,))


def rule(average: Array, value: Array, constants: Constants) -> tuple[Array]:
    """Return the average of one number after the move."""
    (share,) = constants
    return (average + share * (value - average),)
