"""The connected shapes of a mask, where they lie and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .background import Mask, bordered

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Box:
    """Rows and columns from the first to the last, inclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, mask: Mask) -> Box:
        """Return the smallest box around all that is true."""
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        return cls(int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1]))

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top + 1

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left + 1

    def surroundings(self, scale: float) -> tuple[slice, slice]:
        """Return it with as much on each side, in a picture `scale` times as large."""
        margin = max(self.height, self.width)
        rows, columns = (
            slice(max(0, int((first - margin) * scale)), int((last + 1 + margin) * scale))
            for first, last in ((self.top, self.bottom), (self.left, self.right))
        )
        return rows, columns

    def is_within(self, other: Box) -> bool:
        """Tell whether it lies inside the other."""
        rows = other.top <= self.top and self.bottom <= other.bottom
        return rows and other.left <= self.left and self.right <= other.right


@dataclass(frozen=True)
class Shapes:
    """The connected shapes of a mask, by number; each array has shape `(shapes,)`."""

    labels: Numbers  # (height, width): the number of each pixel's shape, -1 for paper
    area: Numbers
    top: Numbers
    bottom: Numbers
    left: Numbers
    right: Numbers
    edge: Numbers  # how many pixels of the picture's edge it takes

    @classmethod
    def of(cls, mask: Mask) -> Shapes:
        """Find the shapes, corners touching counted as connected."""
        labels = label(mask)
        rows, columns = np.nonzero(mask)
        numbers = labels[rows, columns]
        count = int(numbers.max(initial=-1)) + 1
        is_edge = (rows == 0) | (rows == mask.shape[0] - 1)
        is_edge |= (columns == 0) | (columns == mask.shape[1] - 1)
        area, edge = (np.bincount(some, minlength=count) for some in (numbers, numbers[is_edge]))
        (top, bottom), (left, right) = _ends(numbers, rows), _ends(numbers, columns)
        return cls(labels, area, top, bottom, left, right, edge)

    @property
    def height(self) -> Numbers:
        """Rows from top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> Numbers:
        """Columns from left to right."""
        return self.right - self.left


def _ends(numbers: Numbers, places: Numbers) -> tuple[Numbers, Numbers]:
    """Return where each shape begins and, exclusive, ends, along one axis."""
    count = int(numbers.max(initial=-1)) + 1
    low, high = np.full(count, np.iinfo(np.intp).max), np.zeros(count, np.intp)
    np.minimum.at(low, numbers, places)
    np.maximum.at(high, numbers, places + 1)
    return low, high


def label(mask: Mask) -> Numbers:
    """Return the number of each pixel's connected shape, from 0 in reading order; -1 for paper.

    Runs of ink in a row are joined with those that they touch in the next one: each run points to
    a lower one until all of a shape point to the first (union by pointer jumping).
    """
    wide = bordered(mask)
    begins = wide.copy()
    begins[:, 1:] &= ~wide[:, :-1]
    runs = np.cumsum(begins).reshape(wide.shape) - 1
    upper, lower = _touching(wide, runs)
    root = np.arange(int(runs[-1, -1]) + 2)  # one more than there are runs, for paper's -1
    while True:
        first, second = root[upper], root[lower]
        if np.array_equal(first, second):
            break
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(root, root[root]):
            root = root[root]
    numbers = np.cumsum(root == np.arange(len(root))) - 1
    return np.where(mask, numbers[root][runs[1:-1, 1:-1]], -1)


def _touching(wide: Mask, runs: Numbers) -> tuple[Numbers, Numbers]:
    """Return the runs that touch one of the next row, and those."""
    here, numbers = wide[:-1, 1:-1], runs[:-1, 1:-1]
    above, below = [], []
    for shift in (0, 1, 2):
        beside = np.s_[1:, shift : shift + here.shape[1]]
        touch = here & wide[beside]
        above.append(numbers[touch])
        below.append(runs[beside][touch])
    upper, lower = np.concatenate(above), np.concatenate(below)
    is_new = np.ones(len(upper), bool)  # neighbouring pixels touch where one of them does
    is_new[1:] = (upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])
    return upper[is_new], lower[is_new]
