"""Digits as strokes of a pen, in several hands."""

import math
from itertools import pairwise

HANDS = {
    "upright": {},
    "slanted": {"slant": 0.25},
    "narrow": {"width": 0.7, "wobble": 0.012},
    "wide": {"width": 1.15, "slant": -0.08, "wobble": 0.008},
    "small": {"size": 0.5, "slant": 0.12},
}
"""How a hand changes the digits; sizes are shares of the side of the drawing area."""


def strokes(digit, *, slant=0.0, width=1.0, size=1.0, wobble=0.0):
    """Return the strokes of a digit, lists of points, shares of the side of the area."""
    return [
        [_written(x, y, slant, width, size, wobble) for x, y in _dense(stroke)]
        for stroke in DIGITS[digit]
    ]


def _written(x, y, slant, width, size, wobble):
    x, y = x - 0.5, y - 0.5
    x = x * width - slant * y + wobble * math.sin(23 * y + 5 * x)
    y = y + wobble * math.sin(19 * x + 7 * y)
    return 0.5 + size * x, 0.5 + size * y


def _dense(points, step=0.04):
    """Put points between those of a stroke, as a moving pen reports them."""
    dense = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        count = max(1, round(math.hypot(x1 - x0, y1 - y0) / step))
        dense += [
            (x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(1, count + 1)
        ]
    return dense


def _arc(x, y, rx, ry, start, end, count=16):
    """Points of an ellipse; 0° is at three o'clock, angles grow clockwise."""
    angles = [math.radians(start + (end - start) * k / count) for k in range(count + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


DIGITS = {
    0: [_arc(0.5, 0.5, 0.17, 0.3, -90, 270, 28)],
    1: [[(0.42, 0.3), (0.53, 0.2), (0.51, 0.8)]],
    2: [[*_arc(0.5, 0.36, 0.18, 0.16, 190, 380), (0.32, 0.8), (0.7, 0.78)]],
    3: [[*_arc(0.48, 0.34, 0.17, 0.14, 210, 450), *_arc(0.48, 0.65, 0.19, 0.17, -90, 150)]],
    4: [[(0.36, 0.2), (0.3, 0.52), (0.7, 0.5)], [(0.63, 0.22), (0.58, 0.82)]],
    5: [[(0.68, 0.2), (0.4, 0.2), (0.37, 0.47), *_arc(0.47, 0.62, 0.19, 0.18, 230, 500)]],
    6: [[(0.6, 0.18), (0.42, 0.4), *_arc(0.49, 0.64, 0.15, 0.17, 180, 540, 24)]],
    7: [[(0.3, 0.22), (0.7, 0.22), (0.46, 0.82)]],
    8: [[*_arc(0.5, 0.34, 0.13, 0.14, 90, 450, 22), *_arc(0.5, 0.64, 0.16, 0.16, -90, 270, 22)]],
    9: [[*_arc(0.5, 0.36, 0.15, 0.16, 0, 360, 24), (0.62, 0.6), (0.56, 0.82)]],
}
"""The strokes of each digit, in a square of side 1."""
