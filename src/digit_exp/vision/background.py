"""Removes the brightness of the paper: uneven light, shadows and vignettes.

A grey-scale closing removes dark strokes from a picture, an opening removes light ones (Serra
1982), in a window wider than any stroke. What is left is the paper with its gradients and shadows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .decode import Grey

Levels = NDArray[np.floating]

WINDOW = 1 / 3
"""Side of the window, as a share of the picture's longer side: wider than the strokes of a digit
that fills the picture."""
SAMPLES = 16
"""Points along each side of the picture at which its brightness is sampled."""
PAPER = 0.55
"""Share of the way around the picture over which the median brightness is that of paper."""
ROUNDS = 4
"""Iterations of reweighting when the surface is fitted."""
NOISE = 0.02
"""Deviations from a fitted surface that a clean picture has too; 1 is black to white."""


def differences(framed: Grey) -> tuple[Grey, Grey]:
    """Return by how much each pixel is darker than the paper, and by how much lighter.

    `framed` is a picture with a frame of paper; the results have the shape of the picture.
    """
    levels = framed[1:-1, 1:-1]
    radius = max(2, round(WINDOW * max(levels.shape) / 2))
    size = 2 * radius + 1
    wide = np.pad(framed, size - 2, "edge")
    closed = extreme(extreme(wide, size, np.maximum), size, np.minimum)
    opened = extreme(extreme(wide, size, np.minimum), size, np.maximum)
    return closed - levels, levels - opened


def extreme(values: Grey, size: int, of_two: np.ufunc) -> Grey:
    """Return the maximum or minimum over squares; each side is shorter by `size - 1`.

    A window of doubled length is two shorter ones. This takes a quarter of the time that the
    filters of `scipy.ndimage` take, and most of the time of reading a picture is spent here.
    """
    for _ in ("down", "across"):
        count, span = len(values) - size + 1, 1
        while 2 * span <= size:
            values = of_two(values[:-span], values[span:])
            span *= 2
        values = of_two(values[:count], values[size - span :][:count]).T
    return values


def framed(levels: Grey) -> Grey:
    """Add a frame of paper, one pixel wide, so that strokes at the edge are removed too.

    Its brightness is a running median of the picture's margin, over the share `PAPER` of the way
    around. So it ignores ink and scanner edges, and follows a shadow.
    """
    margin = max(1, min(levels.shape) // 8)
    ring = [
        _median(side[:margin, _samples(side.shape[1])])
        for side in (np.rot90(levels, turns) for turns in range(4))
    ]
    window = 2 * int(PAPER * 4 * SAMPLES / 2) + 1
    paper = ndimage.median_filter(np.concatenate(ring), window, mode="wrap")
    result = np.pad(levels, 1)
    for turns, known in enumerate(paper.reshape(4, SAMPLES)):
        side = np.rot90(result, turns)[0]  # a view
        side[:] = np.interp(np.linspace(0, 1, len(side)), np.linspace(0, 1, SAMPLES), known)
    return result


def surface(levels: Grey) -> Grey:
    """Fit a quadratic in both coordinates to the brightness of the paper.

    Iteratively reweighted least squares with weights 1/(1 + (error/scale)²), so that ink, which
    deviates most, hardly counts.
    """
    y, x = (np.linspace(0, 1, n, dtype=np.float32) for n in levels.shape)
    rows, columns = np.ix_(*(np.unique(_samples(n)) for n in levels.shape))
    known = levels[rows, columns].ravel().astype(np.float64)
    v, u = y[rows].astype(np.float64), x[columns].astype(np.float64)
    terms = np.stack([t.ravel() for t in np.broadcast_arrays(1.0, u, v, u * u, u * v, v * v)])
    weights = np.ones_like(known)
    for _ in range(ROUNDS):
        weighted = terms * weights
        # the small term keeps the equations solvable for a picture of one row
        normal = weighted @ terms.T + 1e-6 * np.eye(len(terms))
        coefficients = np.linalg.solve(normal, weighted @ known)
        error = np.abs(known - coefficients @ terms)
        weights = 1 / (1 + (error / max(1.5 * float(_median(error)), NOISE)) ** 2)
    c, y = coefficients.astype(np.float32), y[:, None]
    fitted: Grey = c[0] + c[2] * y + c[5] * y * y + (c[1] * x + c[3] * x * x) + c[4] * y * x
    return fitted


def _samples(count: int) -> NDArray[np.intp]:
    """Return `SAMPLES` indices from 0 to `count - 1`, evenly spaced."""
    return np.linspace(0, count - 1, SAMPLES).astype(np.intp)


def _median(values: Levels) -> Levels:
    """Return the median along the first axis, of an even number the upper one.

    `np.median` takes twice as long.
    """
    middle = len(values) // 2
    median: Levels = np.partition(values, middle, axis=0)[middle]
    return median
