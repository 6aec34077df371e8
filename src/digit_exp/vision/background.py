"""Tells ink from paper: under uneven light and in shadow, dark on light or light on dark.

The light of the paper is what is left when every stroke is filled from its sides: a grey-scale
closing for dark ink, an opening for light ink (Serra 1982), in a window wider than any stroke.
Gradients and the edges of shadows stay as they are, and fall away with the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decode import Grey
from .histogram import Histogram

Mask = NDArray[np.bool_]
Axis = NDArray[np.floating[Any]]

WINDOW = 1 / 3
"""In longer sides of the picture: wider than the strokes of a digit that fills it."""

SAMPLES = 16
"""Places at each side of the picture where its light is looked up."""

PAPER = 0.55
"""Share of the way around the picture, more than half of which must be paper."""

ROUNDS = 4
FLOOR = 0.02
"""Differences from the paper, of 1 between black and white, that a clean picture has too."""

LEAST_CONTRAST = 0.05
"""Of 1 between black and white: what ink must differ from paper by."""

CLEAR = 0.85
"""Share of the variance between ink and paper with which there is nothing to search for."""

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
    """How much the light varies between the neighbours of each place, and of the paper around: each
    side is longer by two."""


def inks(levels: Grey) -> list[Ink]:
    """Return what may be the ink, the dark or the light; one of them if the other is noise.

    A smooth surface describes lamps and vignettes, and misleads where a shadow has an edge; of the
    picture with and without it, the one counts whose ink and paper are further apart, unless that
    is clear at once.
    """
    framed = _framed(levels)
    steps = _steps(framed)
    found = _dark_and_light(framed, steps)
    if _clarity(found) < CLEAR:
        flat = _dark_and_light(_framed(levels - _surface(levels)), steps)
        found = max(found, flat, key=_clarity)
    strongest = max(ink.contrast for ink in found)
    return [ink for ink in found if ink.contrast >= CLEARLY * strongest]


def _clarity(found: tuple[Ink, Ink]) -> float:
    """Return how far ink and paper are apart, 0 if one sees no difference."""
    return max(ink.separation if ink.contrast >= LEAST_CONTRAST else 0.0 for ink in found)


def _steps(framed: Grey) -> Grey:
    wide = np.pad(framed, 1, "edge")
    return _extremes(wide, 1, np.maximum) - _extremes(wide, 1, np.minimum)


def _dark_and_light(framed: Grey, steps: Grey) -> tuple[Ink, Ink]:
    levels = framed[1:-1, 1:-1]
    radius = max(2, round(WINDOW * max(levels.shape) / 2))
    padded = np.pad(framed, 2 * radius - 1, "edge")
    closed = _extremes(_extremes(padded, radius, np.maximum), radius, np.minimum)
    opened = _extremes(_extremes(padded, radius, np.minimum), radius, np.maximum)
    return _separated(closed - levels, steps), _separated(levels - opened, steps)


def _surface(levels: Grey) -> Grey:
    """Fit c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y² to the light of the paper.

    Least squares, again and again with weights 1/(1 + (error/scale)²), so that ink does not count.
    """
    places = [np.unique(_spread(n).astype(np.intp)) for n in levels.shape]
    some = levels[np.ix_(*places)].reshape(-1).astype(np.float64)
    axes = (place / max(n - 1, 1) for place, n in zip(places, levels.shape, strict=True))
    y, x = (axis.reshape(-1) for axis in np.meshgrid(*axes, indexing="ij"))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    weights = np.ones_like(some)
    for _ in range(ROUNDS):
        weighted = terms * weights
        # the small term keeps the equations solvable for a picture of one row
        c = np.linalg.solve(weighted @ terms.T + 1e-6 * np.eye(6), weighted @ some)
        error = np.abs(some - c @ terms)
        weights = 1 / (1 + (error / max(1.5 * float(_median(error, 0)), FLOOR)) ** 2)
    down, across = (np.linspace(0, 1, n, dtype=np.float32) for n in levels.shape)
    c = c.astype(np.float32)
    rows, columns = c[0] + c[2] * down + c[5] * down**2, c[1] * across + c[3] * across**2
    surface: Grey = rows[:, None] + columns + c[4] * down[:, None] * across
    return surface


def _framed(levels: Grey) -> Grey:
    """Add a row or column of paper to each side.

    It is the median of the margin over `PAPER` of the way around: ink that touches the edge is
    shorter, a frame narrower, and a median keeps the place where a shadow crosses.
    """
    margin = max(1, min(levels.shape) // 8)
    sides = []
    for turns in range(4):  # the upper side, the right, the lower, the left: once around
        side = np.rot90(levels, turns)
        places = _spread(side.shape[1]).astype(np.intp)
        sides.append(_median(side[:margin, places], axis=0))
    ring = np.concatenate(sides)
    half = int(PAPER * len(ring) / 2)
    around = np.concatenate([ring[-half:], ring, ring[:half]])
    paper = _median(np.lib.stride_tricks.sliding_window_view(around, 2 * half + 1), axis=1)
    framed = np.pad(levels, 1)
    for turns, known in enumerate(paper.reshape(4, SAMPLES)):
        side = np.rot90(framed, turns)[0]  # a view
        side[:] = np.interp(np.arange(len(side)), _spread(len(side)), known)
    return framed


def _spread(count: int) -> Axis:
    """Return `SAMPLES` places from 0 to `count - 1`, at equal distances."""
    places: Axis = np.arange(SAMPLES) * ((count - 1) / (SAMPLES - 1))
    return places


def _median(values: Axis, axis: int) -> Axis:
    """Return the median along an axis, of an even number the upper one; `np.median` is slow."""
    middle = values.shape[axis] // 2
    median: Axis = np.take(np.partition(values, middle, axis), middle, axis)
    return median


def bordered(mask: Mask) -> Mask:
    """Return the mask with a border of one pixel that is false; `np.pad` is slow."""
    wide = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    wide[1:-1, 1:-1] = mask
    return wide


def grown(mask: Mask) -> Mask:
    """Return the mask with the eight neighbours of each of its pixels."""
    wide = bordered(mask)
    tall = wide[:-2] | wide[1:-1] | wide[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def _separated(depth: Grey, steps: Grey) -> Ink:
    histogram, bins = Histogram.of(depth)
    cut = histogram.cut()
    paper, ink = histogram.parts(cut)
    base = paper.median()  # noise lifts the extremes everywhere
    depth, mask = depth - np.float32(base), bins > cut
    if not ink.total:
        return Ink(depth, mask, 0.0, 0.0, 0.0, steps)
    share = ink.total / histogram.total
    between = share * (1 - share) * (ink.mean() - paper.mean()) ** 2
    separation = between / histogram.variance()
    return Ink(depth, mask, ink.median() - base, paper.deviation(), separation, steps)


def _extremes(values: Grey, radius: int, extreme: np.ufunc) -> Grey:
    """Return the maximum or minimum over squares; each side is shorter by `2 radius`.

    Windows of doubled length are made of two of the last, and the wanted one of two that overlap.
    """
    size = 2 * radius + 1
    for _ in ("down", "across"):
        count, span = len(values) - size + 1, 1
        while 2 * span <= size:
            values = extreme(values[:-span], values[span:])
            span *= 2
        values = extreme(values[:count], values[size - span :][:count]).T
    return values
