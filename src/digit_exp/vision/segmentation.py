"""Finds digits among the connected components of the ink.

Specks, frames and what touches the edge are left out. Large components that do not overlap are
digits of their own, with the small ones around them. A picture whose ink cannot be digits is
refused with the reason: blank, noise, texture, a filled area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from . import strokes
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
"""Share of the ink that must belong to the digits."""
LARGE = 0.5, 0.15
"""Height and area of a digit, as shares of those of the largest component."""
OVERLAP = 0.3
"""Share of the smaller box from which on components that overlap are one digit."""
MAX_DIGITS = 24
"""A picture with more shapes is a text or a pattern."""
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
    """The components of one ink that may be digits."""

    ink: Ink
    components: Components
    considered: Mask  # (components,): neither frames nor cut off by the edge
    groups: list[Mask]  # each (components,): the parts of one digit, the largest digit first

    @classmethod
    def of(cls, ink: Ink, min_height: int) -> Candidate:
        """Group the components around the large ones, or raise NoDigit."""
        _require_contrast(ink)
        components = Components.of(ink.mask)
        considered = _considered(components, min_height)
        if not considered.any():
            raise NoDigit("there is nothing but a frame at the edge")
        main = int(np.argmax(considered * components.area))
        if (height := components.height[main]) < min_height:
            raise NoDigit(f"the largest shape is only {height} pixels high")
        return cls(ink, components, considered, _groups(components, considered, main))

    def mask_of(self, parts: Mask) -> Mask:
        """Return where some components are."""
        mask: Mask = np.insert(parts, 0, False)[self.components.labels]
        return mask

    @cached_property
    def mask(self) -> Mask:
        """Where the digits are."""
        return self.mask_of(np.any(self.groups, axis=0))

    @cached_property
    def box(self) -> Box:
        """The smallest box around the digits."""
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

    def require_digits(self) -> None:
        """Raise NoDigit if most of the ink belongs to no digit."""
        area = self.components.area
        inside = area[np.any(self.groups, axis=0)].sum()
        if len(self.groups) > MAX_DIGITS or inside < MIN_SHARE * area[self.considered].sum():
            raise NoDigit("too many shapes for digits")


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


def _groups(c: Components, considered: Mask, main: int) -> list[Mask]:
    """Return the parts of each digit: large components, and small ones around them."""
    height, area = LARGE
    is_large = considered & (c.height > height * c.height[main]) & (c.area > area * c.area[main])
    groups: list[Mask] = []
    largest = sorted(np.flatnonzero(is_large).tolist(), key=lambda part: -c.area[part])
    for part in largest[: MAX_DIGITS + 1]:
        own = np.arange(len(c.area)) == part
        over = [
            group
            for group in groups
            if any(_overlap(c, part, q) for q in np.flatnonzero(group).tolist())
        ]
        groups = [group for group in groups if not any(group is each for each in over)]
        groups.append(np.any([own, *over], axis=0))
    small = considered & ~is_large & (c.area > SPECK * c.area[main])
    for part in np.flatnonzero(small).tolist():
        gaps = _gaps(c, part)
        nearest = min(groups, key=lambda group: gaps[group].min())
        if gaps[nearest].min() < MAX_GAP:
            nearest[part] = True
    return groups


def _overlap(c: Components, one: int, other: int) -> bool:
    down = min(c.bottom[one], c.bottom[other]) - max(c.top[one], c.top[other])
    across = min(c.right[one], c.right[other]) - max(c.left[one], c.left[other])
    smaller = min(c.height[each] * c.width[each] for each in (one, other))
    return bool(down > 0 and across > 0 and down * across > OVERLAP * smaller)


def _gaps(c: Components, part: int) -> NDArray[np.floating]:
    """Return the distance of a box to all boxes, in diagonals of these."""
    down = np.maximum(c.top - c.bottom[part], c.top[part] - c.bottom)
    across = np.maximum(c.left - c.right[part], c.left[part] - c.right)
    gaps: NDArray[np.floating] = np.hypot(np.maximum(down, 0), np.maximum(across, 0))
    gaps /= np.hypot(c.height, c.width)
    return gaps


def require_strokes(mask: Mask) -> None:
    """Refuse what does not look like a digit: a dot, a line, a filled area, a scribble."""
    height, width = mask.shape
    if width > MAX_FLATNESS * height:
        raise NoDigit("the shape is too flat for a digit")
    if strokes.outline(mask) / 2 > MAX_STROKE_LENGTH * math.hypot(height, width):
        raise NoDigit("the shape is too complex for a digit")
    is_wide = strokes.width(mask) > MAX_STROKE_WIDTH * min(height, width)
    if height < SLENDER * width and (is_wide or mask.mean() > MAX_FILL):
        raise NoDigit("the shape is a filled area")
