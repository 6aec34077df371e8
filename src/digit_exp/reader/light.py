"""Tells ink from paper: under uneven light and in shadow, dark on light or light on dark.

The light of the paper is what is left when every stroke is filled from its sides: a grey-scale
closing for dark ink, an opening for light ink (Serra 1982), in a window wider than any stroke.
Gradients and the edges of shadows stay as they are, and fall away with the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pictures import Grey

Mask = NDArray[np.bool_]
Axis = NDArray[np.float64]

WINDOW = 1 / 3
"""In longer sides of the picture: wider than the strokes of a digit that fills it."""

SMOOTHING = 1 / 200
"""Radius of the mean over the noise of a photo, in longer sides of the picture."""

SAMPLES = 32
"""Places at each side of the picture where its light is looked up."""

PAPER = 0.55
"""Share of the way around the picture, more than half of which must be paper."""

ROUNDS = 6
FLOOR = 0.02
"""Differences from the paper, of 1 between black and white, that a clean picture has too."""

CLEARLY = 0.4
"""Share of the other's contrast below which one of two explanations is noise."""


@dataclass(frozen=True)
class Ink:
    """How much ink is where."""

    depth: Grey
    """Difference from the paper, positive for ink."""
    mask: Mask
    """Where it is ink."""
    contrast: float
    """Typical depth of the ink."""
    noise: float
    """Standard deviation of the paper's depth, outliers left out."""
    separation: float
    """Share of the variance that lies between ink and paper; 2/π for noise without ink."""
    steps: Grey
    """How much the light varies within a few pixels of each place."""


def inks(levels: Grey) -> list[Ink]:
    """Return what may be the ink, the dark or the light; one of them if the other is noise.

    A smooth surface describes lamps and vignettes, and misleads where a shadow has an edge; of the
    picture with and without it, the one counts whose ink and paper are further apart.
    """
    smooth = blurred(levels, int(SMOOTHING * max(levels.shape)))
    steps = _steps(smooth)
    flat = smooth - _surface(smooth)
    readings = [_dark_and_light(smooth, steps), _dark_and_light(flat, steps)]
    found = max(readings, key=lambda pair: max(ink.separation for ink in pair))
    strongest = max(ink.contrast for ink in found)
    return [ink for ink in found if ink.contrast >= CLEARLY * strongest]


def _steps(levels: Grey) -> Grey:
    radius = max(1, max(levels.shape) // 128)
    wide = np.pad(levels, radius, "edge")
    return _extremes(wide, radius, np.maximum) - _extremes(wide, radius, np.minimum)


def _dark_and_light(levels: Grey, steps: Grey) -> tuple[Ink, Ink]:
    radius = max(2, round(WINDOW * max(levels.shape) / 2))
    padded = np.pad(_framed(levels), 2 * radius - 1, "edge")
    closed = _extremes(_extremes(padded, radius, np.maximum), radius, np.minimum)
    opened = _extremes(_extremes(padded, radius, np.minimum), radius, np.maximum)
    return _separated(closed - levels, steps), _separated(levels - opened, steps)


def _surface(levels: Grey) -> Grey:
    """Fit c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y² to the light of the paper.

    Least squares, again and again with weights 1/(1 + (error/scale)²), so that ink does not count.
    """
    places = [np.unique(np.linspace(0, n - 1, SAMPLES).astype(int)) for n in levels.shape]
    y, x = (place / max(n - 1, 1) for place, n in zip(places, levels.shape, strict=True))
    terms = _terms(y, x).reshape(6, -1)
    some = levels[np.ix_(*places)].reshape(-1).astype(np.float64)
    weights = np.ones_like(some)
    for _ in range(ROUNDS):
        weighted = terms * weights
        # the small term keeps the equations solvable for a picture of one row
        c = np.linalg.solve(weighted @ terms.T + 1e-6 * np.eye(6), weighted @ some)
        error = np.abs(some - c @ terms)
        weights = 1 / (1 + (error / max(1.5 * float(np.median(error)), FLOOR)) ** 2)
    surface = np.tensordot(c, _terms(*(np.linspace(0, 1, n) for n in levels.shape)), 1)
    return surface.astype(np.float32)


def _terms(y: Axis, x: Axis) -> NDArray[np.float64]:
    """Return the terms at the crossings of rows `y` and columns `x`, shape `(6, rows, columns)`."""
    y, x = y[:, None], x[None, :]
    one = np.ones((y.size, x.size))
    return np.stack([one, one * x, one * y, one * x**2, x * y, one * y**2])


def _framed(levels: Grey) -> Grey:
    """Add a row or column of paper to each side.

    It is the median of the margin over `PAPER` of the way around: ink that touches the edge is
    shorter, a frame narrower, and a median keeps the place where a shadow crosses.
    """
    margin = max(1, min(levels.shape) // 8)
    sides = []
    for turns in range(4):  # the upper side, the right, the lower, the left: once around
        side = np.rot90(levels, turns)
        places = np.linspace(0, side.shape[1] - 1, SAMPLES).astype(int)
        sides.append(np.median(side[:margin, places], axis=0))
    ring = np.concatenate(sides)
    half = int(PAPER * len(ring) / 2)
    around = np.concatenate([ring[-half:], ring, ring[:half]])
    paper = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * half + 1), axis=1)
    framed = np.pad(levels, 1)
    for turns, known in enumerate(paper.reshape(4, SAMPLES)):
        side = np.rot90(framed, turns)[0]  # a view
        side[:] = np.interp(np.linspace(0, 1, len(side)), np.linspace(0, 1, SAMPLES), known)
    return framed


def otsu(values: Grey) -> float:
    """Return the threshold that separates `values` into the two classes furthest apart (Otsu 1979).

    It maximises ω₀ ω₁ (μ₀ − μ₁)², the variance between the classes, over 256 bins.
    """
    counts, edges = np.histogram(values, 256)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    distance = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * distance**2
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))  # all of a gap
    return float(edges[1 + best].mean())


def grown(mask: Mask) -> Mask:
    """Return the mask with the eight neighbours of each of its pixels."""
    wide = np.pad(mask, 1)
    tall = wide[:-2] | wide[1:-1] | wide[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def blurred(values: Grey, radius: int) -> Grey:
    """Return the mean over a square of `2 radius + 1` pixels a side, edges repeated."""
    size = 2 * radius + 1
    for axis in (0, 1) if radius else ():
        wide = np.pad(values, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], "edge")
        windows = np.lib.stride_tricks.sliding_window_view(wide, size, axis)
        values = windows.mean(axis=-1, dtype=np.float32)
    return values


def _separated(depth: Grey, steps: Grey) -> Ink:
    depth = depth - np.median(depth)  # noise lifts the extremes everywhere
    mask = depth > otsu(depth)
    ink, paper = depth[mask], depth[~mask]
    if not ink.size:
        return Ink(depth, mask, 0.0, 0.0, 0.0, steps)
    noise = 1.4826 * float(np.median(np.abs(paper - np.median(paper))))
    share = ink.size / depth.size
    between = share * (1 - share) * float(ink.mean() - paper.mean()) ** 2
    return Ink(depth, mask, float(np.median(ink)), noise, between / float(depth.var()), steps)


def _extremes(values: Grey, radius: int, extreme: np.ufunc) -> Grey:
    """Return the maximum or minimum over squares; each side is shorter by `2 radius`.

    Windows of doubled length are made of two of the last, and the wanted one of two that overlap.
    """
    size = 2 * radius + 1
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        count, span = len(values) - size + 1, 1
        while 2 * span <= size:
            values = extreme(values[:-span], values[span:])
            span *= 2
        values = extreme(values[:count], values[size - span :][:count])
        values = np.moveaxis(values, 0, axis)
    return values
