"""The width of strokes: how wide a pen is, and fine pens made as wide as those of MNIST."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from .decode import Grey
from .threshold import Mask

FINE = 1.8 / 20
"""Width of a fine stroke, as a share of a digit's longer side. Of MNIST's digits, 5 % have finer
ones."""


def outline(ink: Grey | Mask) -> float:
    """Return the length of the outline of ink in [0, 1]."""
    framed = np.pad(ink.astype(np.float32), 1)
    steps = sum(float(np.abs(np.diff(framed, axis=axis)).sum()) for axis in (0, 1))
    return math.pi / 4 * steps  # a slanting edge in steps is longer than it really is


def width(ink: Grey | Mask) -> float:
    """Return the mean width of the strokes: their outline is on two sides."""
    return 2 * float(ink.sum()) / max(outline(ink), 1e-6)


def widened(ink: Grey) -> Grey:
    """Return ink with strokes as wide as `FINE`, if they are finer."""
    lacking = round(FINE * max(ink.shape) - width(ink))
    if lacking < 1:
        return ink
    half = lacking / 2
    disc = np.hypot(*np.mgrid[-half : half + 0.5, -half : half + 0.5]) <= half + 0.25
    wide: Grey = ndimage.maximum_filter(np.pad(ink, lacking), footprint=disc)
    return wide
