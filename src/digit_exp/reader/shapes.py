"""Which ink is the digit: connected shapes, without specks, frames and what reaches in at the edge.

A picture whose ink cannot be one digit is refused with the reason: nothing there, only noise, a
texture, several digits, a filled area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .light import Ink, Mask, grown

Numbers = NDArray[np.intp]

LEAST_CONTRAST = 0.05
"""Of 1 between black and white: what ink must differ from paper by."""
LEAST_SIGNAL = 4.0
"""Standard deviations of the paper's noise that ink must differ by."""
LEAST_SEPARATION = 0.7
"""Share of the variance that lies between ink and paper."""
LEAST_HEIGHT = 8
"""Pixels: of less, no digit can be made out."""
SPECK = 0.02
"""Share of the largest shape's area below which a shape is dirt."""
STRAY = 0.15
"""How far from the largest shape, in its diagonals, a small part of the digit may lie."""
FRAME = 0.35
"""Share of the picture's edge that a shape must take to be a frame."""
LEAST_SHARE = 0.5
"""How much of the ink must belong to the digit."""
LONGEST_STROKE = 6.0
"""In diagonals of the digit's box; an 8 has about 2.5."""
WIDEST_STROKE = 0.62
"""In shorter sides of the digit's box, unless the box is slender."""
FULLEST = 0.72
"""Share of its box that a digit fills, unless the box is slender; a disc fills π/4."""
SLENDER = 2.0
"""Height in widths from which on a filled box is a stroke, a 1."""
SAME_OUTLINE = 0.05
"""Difference of two shares of outline that says nothing."""
FLATTEST = 2.0
"""Width in heights of the widest digit."""


class NoDigit(ValueError):
    """A picture in which there is no digit to read; the message says what there is instead."""


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


def find_digit(inks: Sequence[Ink]) -> tuple[Ink, Mask]:
    """Return the ink of the digit and which of its pixels are the digit's, or raise NoDigit.

    Dark and light shapes may both be there. The bays of a digit, closed by nothing, are told by
    their outline; its holes by lying inside it.
    """
    found, refusals = [], []
    for ink in inks:
        try:
            choice = _Choice.of(ink)
            found.append((_outlined(ink, choice.mask), ink, choice))
        except NoDigit as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    found.sort(key=lambda reading: -reading[0])
    is_close = len(found) > 1 and found[0][0] - found[1][0] < SAME_OUTLINE
    if is_close and _is_within(found[0][2].mask, found[1][2].mask):
        found.reverse()
    _, ink, choice = found[0]
    choice.require_digit()
    return ink, choice.mask


def _outlined(ink: Ink, mask: Mask) -> float:
    """Return the share of the outline of `mask` at which the light really changes."""
    outline = grown(mask) & ~mask
    return float((ink.steps[outline] > ink.contrast / 2).mean()) if outline.any() else 0.0


def _is_within(mask: Mask, other: Mask) -> bool:
    """Tell whether the box of `mask` lies inside that of `other`."""
    (top, bottom, left, right), (above, below, before, after) = _box(mask), _box(other)
    return above <= top and bottom <= below and before <= left and right <= after


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """Return the first and the last row, the first and the last column of a mask."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


@dataclass(frozen=True)
class _Choice:
    """The shapes that are looked at as a digit, among all."""

    shapes: Shapes
    candidates: Mask  # (shapes,)
    parts: Mask  # (shapes,): those around the largest candidate
    mask: Mask

    @classmethod
    def of(cls, ink: Ink) -> _Choice:
        """Choose the largest shape and what belongs to it."""
        _require_contrast(ink)
        shapes = Shapes.of(ink.mask)
        candidates = _candidates(shapes)
        if not candidates.any():
            raise NoDigit("nothing but what reaches in at the edge")
        main = int(np.argmax(candidates * shapes.area))
        if shapes.height[main] < LEAST_HEIGHT:
            raise NoDigit(f"the largest shape is only {shapes.height[main]} pixels high")
        parts = candidates & _belongs(shapes, main)
        return cls(shapes, candidates, parts, parts[shapes.labels] & (shapes.labels >= 0))

    def require_digit(self) -> None:
        """Raise NoDigit if the shapes are not those of one digit."""
        _require_one(self.shapes, self.parts, int(np.argmax(self.parts * self.shapes.area)))
        area = self.shapes.area
        if area[self.parts].sum() < LEAST_SHARE * area[self.candidates].sum():
            raise NoDigit("too many shapes for a digit")
        _require_strokes(self.mask)


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
    wide = np.pad(mask, 1)
    runs = np.cumsum(wide & ~np.roll(wide, 1, axis=1)).reshape(wide.shape) - 1
    above, below = [], []
    for shift in (-1, 0, 1):
        touch = wide[:-1] & np.roll(wide[1:], shift, axis=1)
        above.append(runs[:-1][touch])
        below.append(np.roll(runs[1:], shift, axis=1)[touch])
    pairs = np.unique(np.stack([np.concatenate(above), np.concatenate(below)]), axis=1)
    root = np.arange(int(runs.max()) + 1)
    while True:
        first, second = root[pairs[0]], root[pairs[1]]
        if np.array_equal(first, second):
            break
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(root, root[root]):
            root = root[root]
    numbers = np.unique(root, return_inverse=True)[1]
    return np.where(mask, numbers[runs[1:-1, 1:-1]] if numbers.size else -1, -1)


def _require_contrast(ink: Ink) -> None:
    if ink.contrast < LEAST_CONTRAST:
        raise NoDigit("the picture is blank")
    if ink.contrast < LEAST_SIGNAL * ink.noise or ink.separation < LEAST_SEPARATION:
        raise NoDigit("nothing stands out from the noise")


def _candidates(shapes: Shapes) -> Mask:
    """Leave out frames, and what touches the edge where something large enough does not."""
    height, width = shapes.labels.shape
    tall_enough = shapes.height >= LEAST_HEIGHT
    along = np.minimum(shapes.height / height, shapes.width / width) < 0.15
    along &= np.maximum(shapes.height / height, shapes.width / width) > 0.5
    is_frame = (shapes.edge > 0) & along
    is_frame |= shapes.edge > FRAME * 2 * (height + width)
    chosen: Mask = ~is_frame
    inner = chosen & (shapes.edge == 0)
    if (inner & tall_enough & (shapes.height > 0.2 * height)).any():
        chosen = inner
    return chosen


def _belongs(shapes: Shapes, main: int) -> Mask:
    """Return which shapes are parts of the digit whose largest part is `main`."""
    diagonal = math.hypot(shapes.height[main], shapes.width[main])
    down = np.maximum(shapes.top[main] - shapes.bottom, shapes.top - shapes.bottom[main])
    across = np.maximum(shapes.left[main] - shapes.right, shapes.left - shapes.right[main])
    is_near = np.hypot(np.maximum(down, 0), np.maximum(across, 0)) < STRAY * diagonal
    share = shapes.area / shapes.area[main]
    belongs: Mask = (share > SPECK) & is_near | (share > 0.2)
    return belongs


def _require_one(shapes: Shapes, parts: Mask, main: int) -> None:
    """Refuse several digits: large shapes that lie beside or above each other."""
    large = parts & (shapes.area > 0.2 * shapes.area[main])
    large &= shapes.height > 0.7 * shapes.height[main]
    beside = (shapes.left >= shapes.right[main]) | (shapes.right <= shapes.left[main])
    above = (shapes.top >= shapes.bottom[main]) | (shapes.bottom <= shapes.top[main])
    if others := int((large & (beside | above)).sum()):
        raise NoDigit(f"{others + 1} shapes apart; give each digit a picture of its own")


def _require_strokes(mask: Mask) -> None:
    """Refuse what is no digit for its form: a dot, a line, a filled area, a scribble."""
    top, bottom, left, right = _box(mask)
    height, width = bottom - top + 1, right - left + 1
    if width > FLATTEST * height:
        raise NoDigit("the shape is too flat for a digit")
    wide = np.pad(mask, 1)
    edges = int((wide[1:] != wide[:-1]).sum() + (wide[:, 1:] != wide[:, :-1]).sum())
    outline = math.pi / 4 * edges  # a slanting edge is longer in steps than in truth
    if outline / 2 > LONGEST_STROKE * math.hypot(height, width):
        raise NoDigit("the shape is too complex for a digit")
    area = int(mask.sum())
    is_wide = 2 * area / outline > WIDEST_STROKE * min(height, width)
    if height < SLENDER * width and (is_wide or area > FULLEST * height * width):
        raise NoDigit("the shape is a filled area")
