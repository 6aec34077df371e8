"""Loops that apply a rule for one number to whole vectors, in one pass over memory.

A rule is a plain function `rule(x, y, *slots, constants)` that returns the new x and the new slots.
It takes numbers in a loop and NumPy arrays in a test: with + − × ÷ √ and `np.sign` alone, both
give the same bits. Constants come as one tuple of the vectors' own type, because a literal would
turn float32 into float64.

A result that is subnormal, closer to 0 than 1.2e-38 in float32, becomes 0. Decaying averages end
there, such as Adam's m of a pixel that is never set again, and some processors take a hundred
times as long to compute with such numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from digit_exp.arrays import Array
from digit_exp.jit import Kernel, inline, kernel

Scalar = float | np.floating[Any]

Constants = tuple[float, ...]
"""What a rule uses for every number of a step."""

Rule = Callable[..., tuple[Array, ...]]
"""The update of one number; see above."""


def apply(
    rule: Rule, x: Array, y: Array, slots: Sequence[Array] = (), *, constants: Constants
) -> None:
    """Change the vector `x`, and at most two `slots`, in place by `rule`; `y` is only read."""
    number = x.dtype.type
    loop = _loop(rule, len(slots))
    loop(x, y, *slots, _smallest_normal(x.dtype), tuple(map(number, constants)))


def move_towards(average: Array, values: Array, share: float) -> None:
    """Move an exponential moving average a of the values x in place:  a ← a + s (x − a)."""
    apply(average_rule, average, values, constants=(share,))


def average_rule(average: Array, value: Array, constants: Constants) -> tuple[Array]:
    """Return the average of one number after the move."""
    (share,) = constants
    return (average + share * (value - average),)


@inline
def flush(x: Array, smallest: Scalar) -> Array:
    """Return 0 for a number below the smallest normal one, else the number itself, such as NaN."""
    return x - x if abs(x) < smallest else x


@kernel
def add_up_penalty(weights: Array, sums: Array, l1: Scalar, l2: Scalar) -> None:
    """Add  λ₁ |w| + λ₂ w²  of every number of `weights` to one of the `sums`.

    Many sums, because additions to a single one have to wait for each other. In NumPy, for each
    block of `weights`:  sums += l1 * abs(block) + l2 * block * block.
    """
    for start in range(0, weights.size, sums.size):
        block = weights[start : start + sums.size]
        for i in range(block.size):
            sums[i] += l1 * abs(block[i]) + l2 * block[i] * block[i]


@kernel
def shorten_columns(matrix: Array, factors: Array, limit: Scalar) -> None:
    """Scale columns longer than `limit` to that length; `factors` are 0 before and 1 for the rest.

    In NumPy:  factors[:] = limit / np.maximum(np.sqrt((matrix**2).sum(axis=0)), limit);
    matrix *= factors.
    """
    rows, columns = matrix.shape
    for i in range(rows):
        for j in range(columns):
            factors[j] += matrix[i, j] * matrix[i, j]
    any_long = False
    for j in range(columns):
        factors[j] = limit / np.maximum(np.sqrt(factors[j]), limit)
        any_long |= factors[j] < 1
    if any_long:
        for i in range(rows):
            for j in range(columns):
                matrix[i, j] *= factors[j]


def _without_slots(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, smallest: Scalar, constants: Constants) -> None:
        for i in range(x.size):
            (new,) = rule(x[i], y[i], constants)
            x[i] = flush(new, smallest)

    return run


def _with_one_slot(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, m: Array, smallest: Scalar, constants: Constants) -> None:
        for i in range(x.size):
            new, new_m = rule(x[i], y[i], m[i], constants)
            x[i], m[i] = flush(new, smallest), flush(new_m, smallest)

    return run


def _with_two_slots(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, m: Array, v: Array, smallest: Scalar, constants: Constants) -> None:
        for i in range(x.size):
            new, new_m, new_v = rule(x[i], y[i], m[i], v[i], constants)
            x[i] = flush(new, smallest)
            m[i], v[i] = flush(new_m, smallest), flush(new_v, smallest)

    return run


@cache
def _loop(rule: Rule, slots: int) -> Kernel[..., None]:
    """Return the loop of `rule`, which is compiled at its first call."""
    if slots > 2:
        raise ValueError(f"a rule has at most 2 slots, got {slots}; write `update` instead")
    return (_without_slots, _with_one_slot, _with_two_slots)[slots](inline(rule))


@cache
def _smallest_normal(dtype: np.dtype[np.floating]) -> Scalar:
    return np.finfo(dtype).smallest_normal
