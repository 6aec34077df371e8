"""Which ink is the digit: connected shapes, without specks, frames and what reaches in at the edge.

A picture whose ink cannot be one digit is refused with the reason: nothing there, only noise, a
texture, several digits, a filled area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .background import LEAST_CONTRAST, Ink, Mask, bordered, grown
from .components import Box, Shapes

LEAST_SIGNAL = 4.0
"""Standard deviations of the paper's noise that ink must differ by."""
LEAST_SEPARATION = 0.66
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


def find_shape(inks: Sequence[Ink], least_height: int = LEAST_HEIGHT) -> Choice:
    """Return what may be the digit, or raise NoDigit.

    Dark and light shapes may both be there. The bays of a digit, closed by nothing, are told by
    their outline; its holes by lying inside it.
    """
    found, refusals = [], []
    for ink in inks:
        try:
            found.append(Choice.of(ink, least_height))
        except NoDigit as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    found.sort(key=lambda choice: -choice.outlined)
    first, *others = found
    if others and first.outlined - others[0].outlined < SAME_OUTLINE:
        return others[0] if first.box.is_within(others[0].box) else first
    return first


@dataclass(frozen=True)
class Choice:
    """The shapes that are looked at as a digit, among all of an ink."""

    ink: Ink
    shapes: Shapes
    candidates: Mask  # (shapes,)
    parts: Mask  # (shapes,): those around the largest candidate
    mask: Mask

    @classmethod
    def of(cls, ink: Ink, least_height: int) -> Choice:
        """Choose the largest shape and what belongs to it."""
        _require_contrast(ink)
        shapes = Shapes.of(ink.mask)
        candidates = _candidates(shapes, least_height)
        if not candidates.any():
            raise NoDigit("nothing but what reaches in at the edge")
        main = int(np.argmax(candidates * shapes.area))
        if shapes.height[main] < least_height:
            raise NoDigit(f"the largest shape is only {shapes.height[main]} pixels high")
        parts = candidates & _belongs(shapes, main)
        return cls(ink, shapes, candidates, parts, parts[shapes.labels] & (shapes.labels >= 0))

    @cached_property
    def box(self) -> Box:
        """Where the parts lie."""
        return Box.of(self.mask)

    @cached_property
    def outlined(self) -> float:
        """The share of its outline at which the light really changes.

        Around the picture is paper: what is paper itself has no outline there.
        """
        mask = bordered(self.mask)
        outline = grown(mask) & ~mask
        return float((self.ink.steps[outline] > self.ink.contrast / 3).mean())

    def require_digit(self) -> None:
        """Raise NoDigit if the shapes are not those of one digit."""
        _require_one(self.shapes, self.parts, int(np.argmax(self.parts * self.shapes.area)))
        area = self.shapes.area
        if area[self.parts].sum() < LEAST_SHARE * area[self.candidates].sum():
            raise NoDigit("too many shapes for a digit")
        _require_strokes(self.mask, self.box)


def _require_contrast(ink: Ink) -> None:
    if ink.contrast < LEAST_CONTRAST:
        raise NoDigit("the picture is blank")
    if ink.contrast < LEAST_SIGNAL * ink.noise or ink.separation < LEAST_SEPARATION:
        raise NoDigit("nothing stands out from the noise")


def _candidates(shapes: Shapes, least_height: int) -> Mask:
    """Leave out frames, and what touches the edge where something large enough does not."""
    height, width = shapes.labels.shape
    tall_enough = shapes.height >= least_height
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


def _require_strokes(mask: Mask, box: Box) -> None:
    """Refuse what is no digit for its form: a dot, a line, a filled area, a scribble."""
    height, width = box.height, box.width
    if width > FLATTEST * height:
        raise NoDigit("the shape is too flat for a digit")
    wide = bordered(mask)
    edges = int((wide[1:] != wide[:-1]).sum() + (wide[:, 1:] != wide[:, :-1]).sum())
    outline = math.pi / 4 * edges  # a slanting edge is longer in steps than in truth
    if outline / 2 > LONGEST_STROKE * math.hypot(height, width):
        raise NoDigit("the shape is too complex for a digit")
    area = int(mask.sum())
    is_wide = 2 * area / outline > WIDEST_STROKE * min(height, width)
    if height < SLENDER * width and (is_wide or area > FULLEST * height * width):
        raise NoDigit("the shape is a filled area")
