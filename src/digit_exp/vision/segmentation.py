"""Finds the digit among the connected components of the ink.

Specks, frames and what touches the edge are left out. A picture whose ink cannot be one digit is
refused with the reason: blank, noise, texture, several digits, a filled area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .threshold import MIN_CONTRAST, Ink, Mask

Box = tuple[slice, slice]
"""Rows and columns."""
Numbers = NDArray[np.signedinteger]

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner are connected."""
MIN_SIGNAL = 4.0
"""Contrast of ink, in standard deviations of the paper's noise."""
MIN_SEPARATION = 0.66
"""Share of the variance that is between ink and paper."""
MIN_HEIGHT = 8
"""Pixels: less is illegible."""
SPECK = 0.02
"""Share of the largest component's area below which a component is dirt."""
MAX_GAP = 0.15
"""Distance of a digit's small part from its largest, in diagonals of the largest."""
FRAME = 0.35
"""Share of the picture's edge from which on a component is a frame."""
MIN_SHARE = 0.5
"""Share of the ink that must belong to the digit."""
MAX_STROKE_LENGTH = 6.0
"""In diagonals of the digit's box; an 8 has about 2.5."""
MAX_STROKE_WIDTH = 0.62
"""In shorter sides of the digit's box, unless the box is slender."""
MAX_FILL = 0.72
"""Share of its box that a digit fills, unless the box is slender; a disc fills π/4."""
SLENDER = 2.0
"""Ratio of height to width from which on a filled box is a stroke, a 1."""
MAX_FLATNESS = 2.0
"""Ratio of width to height of the widest digit."""
SAME_OUTLINE = 0.05
"""Differences of `Candidate.outlined` that mean nothing."""


class NoDigit(ValueError):
    """A picture without a legible digit; the message says what there is instead."""


@dataclass(frozen=True)
class Components:
    """Connected components of a mask; all arrays but `labels` have one entry for each."""

    labels: Numbers  # (height, width): from 1, and 0 for paper
    area: Numbers
    edge: Numbers  # pixels on the edge of the picture
    top: Numbers
    bottom: Numbers  # exclusive
    left: Numbers
    right: Numbers  # exclusive

    @classmethod
    def of(cls, mask: Mask) -> Components:
        """Find the components."""
        labels, count = ndimage.label(mask, NEIGHBOURS)
        on_edge = np.ones_like(mask)
        on_edge[1:-1, 1:-1] = False
        area, edge = (
            np.bincount(some, minlength=count + 1)[1:] for some in (labels.ravel(), labels[on_edge])
        )
        boxes = [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)]
        return cls(labels, area, edge, *np.array(boxes, np.intp).reshape(-1, 4).T)

    @property
    def height(self) -> Numbers:
        """Rows from top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> Numbers:
        """Columns from left to right."""
        return self.right - self.left


@dataclass(frozen=True)
class Candidate:
    """The components of one ink that may be the digit."""

    ink: Ink
    components: Components
    considered: Mask  # (components,): neither frames nor cut off by the edge
    parts: Mask  # (components,): the largest one considered, and those around it

    @classmethod
    def of(cls, ink: Ink, min_height: int) -> Candidate:
        """Choose the largest component and what belongs to it, or raise NoDigit."""
        _require_contrast(ink)
        components = Components.of(ink.mask)
        considered = _considered(components, min_height)
        if not considered.any():
            raise NoDigit("there is nothing but a frame at the edge")
        main = int(np.argmax(considered * components.area))
        if (height := components.height[main]) < min_height:
            raise NoDigit(f"the largest shape is only {height} pixels high")
        return cls(ink, components, considered, considered & _belongs(components, main))

    @cached_property
    def mask(self) -> Mask:
        """Where the parts are."""
        mask: Mask = np.insert(self.parts, 0, False)[self.components.labels]
        return mask

    @cached_property
    def box(self) -> Box:
        """The smallest box around the parts."""
        return bounding_box(self.mask)

    @cached_property
    def outlined(self) -> float:
        """Share of the outline where the brightness changes.

        Around the picture is paper, so paper that was taken for ink has no outline there.
        """
        mask = np.pad(self.mask, 1)
        outline = ndimage.maximum_filter(mask, 3) & ~mask
        return float((self.ink.gradient[outline] > self.ink.contrast / 3).mean())

    def is_within(self, other: Candidate) -> bool:
        """Tell whether its box lies inside the other's."""
        return all(
            outer.start <= inner.start and inner.stop <= outer.stop
            for inner, outer in zip(self.box, other.box, strict=True)
        )

    def require_digit(self) -> None:
        """Raise NoDigit if this is not one digit."""
        _require_one(self.components, self.parts)
        area = self.components.area
        if area[self.parts].sum() < MIN_SHARE * area[self.considered].sum():
            raise NoDigit("too many shapes for a digit")
        _require_strokes(self.mask[self.box])


def find_candidate(inks: Sequence[Ink], min_height: int = MIN_HEIGHT) -> Candidate:
    """Return what may be the digit, or raise NoDigit.

    Dark and light shapes may both be there: a digit's open bays have no outline at their mouth,
    and its holes lie inside it.
    """
    found, refusals = [], []
    for ink in inks:
        try:
            found.append(Candidate.of(ink, min_height))
        except NoDigit as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    if len(found) == 1:
        return found[0]
    first, second = sorted(found, key=lambda candidate: -candidate.outlined)
    alike = first.outlined - second.outlined < SAME_OUTLINE
    return second if alike and first.is_within(second) else first


def bounding_box(mask: Mask) -> Box:
    """Return the smallest box around all that is true."""
    rows, columns = ndimage.find_objects(mask.astype(np.int8))[0]
    return rows, columns


def _require_contrast(ink: Ink) -> None:
    if ink.contrast < MIN_CONTRAST:
        raise NoDigit("the picture is blank")
    if ink.contrast < MIN_SIGNAL * ink.noise or ink.separation < MIN_SEPARATION:
        raise NoDigit("nothing stands out from the noise")


def _considered(components: Components, min_height: int) -> Mask:
    """Leave out frames, and what touches the edge if something large enough does not."""
    height, width = components.labels.shape
    spans = np.stack([components.height / height, components.width / width])
    along_edge = (components.edge > 0) & (spans.min(axis=0) < 0.15) & (spans.max(axis=0) > 0.5)
    is_frame = along_edge | (components.edge > FRAME * 2 * (height + width))
    inner: Mask = ~is_frame & (components.edge == 0)
    is_tall = (components.height >= min_height) & (components.height > 0.2 * height)
    return inner if (inner & is_tall).any() else ~is_frame


def _belongs(components: Components, main: int) -> Mask:
    """Return which components are parts of the digit whose largest part is `main`."""
    c = components
    diagonal = math.hypot(c.height[main], c.width[main])
    down = np.maximum(c.top[main] - c.bottom, c.top - c.bottom[main])
    across = np.maximum(c.left[main] - c.right, c.left - c.right[main])
    is_near = np.hypot(np.maximum(down, 0), np.maximum(across, 0)) < MAX_GAP * diagonal
    share = c.area / c.area[main]
    belongs: Mask = (share > SPECK) & is_near | (share > 0.2)
    return belongs


def _require_one(components: Components, parts: Mask) -> None:
    """Refuse several digits: large components beside or above each other."""
    c, main = components, int(np.argmax(parts * components.area))
    large = parts & (c.area > 0.2 * c.area[main]) & (c.height > 0.7 * c.height[main])
    beside = (c.left >= c.right[main]) | (c.right <= c.left[main])
    above = (c.top >= c.bottom[main]) | (c.bottom <= c.top[main])
    if others := int((large & (beside | above)).sum()):
        raise NoDigit(f"{others + 1} separate shapes; give each digit a picture of its own")


def _require_strokes(mask: Mask) -> None:
    """Refuse what has not the form of a digit: a dot, a line, a filled area, a scribble."""
    height, width = mask.shape
    if width > MAX_FLATNESS * height:
        raise NoDigit("the shape is too flat for a digit")
    steps = sum(np.diff(mask, axis=axis, prepend=False, append=False).sum() for axis in (0, 1))
    outline = math.pi / 4 * float(steps)  # a slanting edge in steps is longer than it really is
    if outline / 2 > MAX_STROKE_LENGTH * math.hypot(height, width):
        raise NoDigit("the shape is too complex for a digit")
    area = int(mask.sum())
    is_wide = 2 * area / outline > MAX_STROKE_WIDTH * min(height, width)
    if height < SLENDER * width and (is_wide or area > MAX_FILL * mask.size):
        raise NoDigit("the shape is a filled area")
