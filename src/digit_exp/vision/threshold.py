"""Separates ink from paper, dark on light or light on dark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .background import differences, extreme, framed, surface
from .decode import Grey

Mask = NDArray[np.bool_]
Levels = NDArray[np.floating]
Counts = NDArray[np.intp]

BINS = 512
TINY = 1e-12
MIN_CONTRAST = 0.05
"""Between ink and paper; 1 is black to white."""
CLEAR_SEPARATION = 0.85
"""Share of the variance between ink and paper from which on the light need not be modelled."""
NOISE_CONTRAST = 0.4
"""Share of the stronger ink's contrast below which the other one is noise."""


@dataclass(frozen=True)
class Ink:
    """What may be ink, and how well it differs from the paper."""

    depth: Grey
    """Difference from the paper, positive for ink."""
    mask: Mask
    """Where there is ink."""
    contrast: float
    """Median depth of the ink."""
    noise: float
    """Standard deviation of the paper's depth, estimated from its median deviation."""
    separation: float
    """Share of the variance that is between ink and paper; 2/π for normal noise."""
    framed: Grey
    """The picture's brightness, with a frame of paper."""

    @cached_property
    def gradient(self) -> Grey:
        """How much the brightness varies among the neighbours of each pixel, frame included."""
        wide = np.pad(self.framed, 1, "edge")
        return extreme(wide, 3, np.maximum) - extreme(wide, 3, np.minimum)


def find_inks(levels: Grey) -> list[Ink]:
    """Return the dark and the light ink of a picture, or one of them if the other is noise.

    A fitted surface describes lamps and vignettes, but misleads where a shadow has an edge. So
    unless ink and paper are clearly apart, both ways are tried, and the better one is taken.
    """
    plain = framed(levels)
    inks = _dark_and_light(plain, plain)
    if _separation(inks) < CLEAR_SEPARATION:
        flat = _dark_and_light(framed(levels - surface(levels)), plain)
        inks = max(inks, flat, key=_separation)
    strongest = max(ink.contrast for ink in inks)
    return [ink for ink in inks if ink.contrast >= NOISE_CONTRAST * strongest]


def otsu(values: Levels, counts: Counts) -> tuple[int, float]:
    """Return where the upper of the two most separate classes begins (Otsu 1979).

    It maximises the variance between them, ω₀ ω₁ (μ₀ − μ₁)²; its share of all variance is the
    second result. `values` are ascending.
    """
    total, sums = counts.sum(), np.cumsum(counts * values)
    below = np.cumsum(counts)[:-1]
    above = total - below
    apart = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (apart / total) ** 2
    last = int(np.argmax(between))
    variance = counts @ (values - sums[-1] / total) ** 2 / total
    return last + 1, float(between[last] / max(variance, TINY))


def _dark_and_light(levels: Grey, original: Grey) -> list[Ink]:
    return [_separate(depth, original) for depth in differences(levels)]


def _separate(depth: Grey, original: Grey) -> Ink:
    """Take the upper class of depths for ink. Statistics are those of a histogram: it is fast."""
    low = float(depth.min())
    step = max((float(depth.max()) - low) / (BINS - 1), TINY)
    bins = np.rint((depth - low) / step).astype(np.intp)
    values, counts = low + step * np.arange(BINS), np.bincount(bins.ravel(), minlength=BINS)
    cut, separation = otsu(values, counts)
    mask = bins >= cut
    base = _median(values[:cut], counts[:cut])  # noise raises the depth everywhere
    noise = 1.4826 * _median(np.abs(values[:cut] - base), counts[:cut])
    contrast = _median(values[cut:], counts[cut:]) - base if mask.any() else 0.0
    return Ink(depth - np.float32(base), mask, contrast, noise, separation, original)


def _median(values: Levels, counts: Counts) -> float:
    """Return the median of values that occur so many times each."""
    order = np.argsort(values)
    below = np.cumsum(counts[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def _separation(inks: list[Ink]) -> float:
    """Return how far ink and paper are apart, 0 if the contrast is too low to be seen."""
    return max(ink.separation if ink.contrast >= MIN_CONTRAST else 0.0 for ink in inks)
