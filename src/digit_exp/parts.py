"""How an array is divided so that each part comes out as it would together, to the bit."""

from dataclasses import dataclass

ALIGNMENT = 16
"""Parts begin at a multiple of this, where the inner loops of BLAS and NumPy begin anew as well."""

# OpenBLAS has several kernels for matrix products, which round differently. Where it takes which,
# trying all sizes has shown, with OpenBLAS 0.3.31 and AVX-512.
SMALL = 1_000_000
"""Multiply-adds up to which a product has another kernel; without the second transposed."""
TINY = 1200
"""Numbers of the result up to which a product with the second matrix transposed has another."""
SHORT = 448
"""Terms of a sum up to which it does not matter which kernel a product with the first matrix
transposed has."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts, alike but for the alignment, of whatever is divided."""

    index: int
    count: int

    def of(self, length: int) -> slice:
        """Return this part of `range(length)`; all parts together are all of it.

        >>> [Part(index, 3).of(1000) for index in range(3)]
        [slice(0, 320, None), slice(320, 656, None), slice(656, 1000, None)]
        """
        if self.count == 1:
            return slice(0, length)
        blocks = length // ALIGNMENT
        start = blocks * self.index // self.count * ALIGNMENT
        end = blocks * (self.index + 1) // self.count * ALIGNMENT
        return slice(start, end if self.index + 1 < self.count else length)

    def or_all(self, length: int) -> slice:
        """Return all of `range(length)` if this is the first part, else nothing."""
        return slice(0, 0 if self.index else length)


def smallest_part(length: int, count: int) -> int:
    """Return the length of the smallest of `count` parts."""
    return length if count == 1 else length // ALIGNMENT // count * ALIGNMENT


def rounds_alike(length: int, each: int, count: int) -> bool:
    """Return whether a product has the same kernel in parts: all of them are `SMALL`, or none.

    It has so many multiply-adds for `each` of a `length`.
    """
    return length * each <= SMALL or smallest_part(length, count) * each > SMALL


WHOLE = Part(0, 1)
