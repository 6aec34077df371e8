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

import numpy as np

from digit_exp.arrays import Array
from digit_exp.kernels import Kernel, inline, kernel

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


@inline
def flush(x: Array, smallest: float) -> Array:
    """Return 0 for a number below the smallest normal one, else the number itself, such as NaN."""
    return x - x if abs(x) < smallest else x


def _without_slots(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, smallest: float, constants: Constants) -> None:
        for i in range(x.size):
            (new,) = rule(x[i], y[i], constants)
            x[i] = flush(new, smallest)

    return run


def _with_one_slot(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, m: Array, smallest: float, constants: Constants) -> None:
        for i in range(x.size):
            new, new_m = rule(x[i], y[i], m[i], constants)
            x[i], m[i] = flush(new, smallest), flush(new_m, smallest)

    return run


def _with_two_slots(rule: Rule) -> Kernel[..., None]:
    @kernel
    def run(x: Array, y: Array, m: Array, v: Array, smallest: float, constants: Constants) -> None:
        for i in range(x.size):
            new, new_m, new_v = rule(x[i], y[i], m[i], v[i], constants)
            x[i] = flush(new, smallest)
            m[i], v[i] = flush(new_m, smallest), flush(new_v, smallest)

    return run


@cache
def _loop(rule: Rule, slots: int) -> Kernel[..., None]:
    """Return the loop of `rule`, which is compiled at its first call."""
    return (_without_slots, _with_one_slot, _with_two_slots)[slots](inline(rule))


@cache
def _smallest_normal(dtype: np.dtype[np.floating]) -> np.floating:
    return np.finfo(dtype).smallest_normal
