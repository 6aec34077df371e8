"""Axes for the values of a hyperparameter: linear, logarithmic, or with a tick for each name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from digit_exp.arrays import Array
from digit_exp.plots.parts.canvas import DPI, NUMBER, STEPS

LOG_FROM = 5
"""The factor between smallest and largest value from which an axis may be logarithmic."""

MOST_TICKS = 8
"""Values that are written at an axis one by one."""


LETTER_WIDTH = 0.068
"""Inches, about, that a letter beside an axis is wide."""

MAX_LETTERS = 16
"""Letters of a name at an axis."""

CLASS_LETTERS = 11
"""Letters of the name of a class that stands beside or below an image, or in a list."""

LABEL_ANGLE = 35
"""Degrees, of names below an axis that would overlap."""


def text(value: object) -> str:
    """Write a value of a parameter beside an axis or into a table.

    >>> [text(value) for value in (0.00031415, 1e-05, 32, [128, 64], "adam", True, None)]
    ['0.0003142', '1e-05', '32', '[128, 64]', 'adam', 'true', 'null']
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def numbers(values: Sequence[object]) -> list[float] | None:
    """Return the values as numbers, or None if one of them is none.

    >>> numbers([1, 0.5]), numbers([1, None]), numbers([True, False])
    ([1.0, 0.5], None, None)
    """
    found = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return found if len(found) == len(values) else None


def is_logarithmic(values: Sequence[float]) -> bool:
    """Tell whether values are far apart, and more evenly spaced by ratios than by differences.

    >>> is_logarithmic([1e-4, 3e-4, 1e-3]), is_logarithmic([16, 32, 64, 128, 256])
    (True, True)
    >>> is_logarithmic([0.1, 0.3, 0.5, 0.7, 0.9]), is_logarithmic([0, 1e-4, 1e-3])
    (False, False)
    """
    ordered = np.unique(np.array(values, float))
    if len(ordered) < 2 or ordered[0] <= 0 or ordered[-1] <= LOG_FROM * ordered[0]:
        return False
    return _unevenness(np.log(ordered)) <= _unevenness(ordered)


def set_axis(
    axes: Axes, which: Literal["x", "y"], values: Sequence[object], is_log: bool | None = None
) -> list[float]:
    """Set up the x or y axis for `values`, with ticks, and return their positions.

    Values drawn from a range, by their logarithm or not (`is_log`), have ticks at round numbers;
    few values that were listed have one each.
    """
    found = numbers(values)
    if found is None:
        places = [float(place) for place in range(len(values))]
        write_values(axes, which, places, values)
        return places
    if is_log is not None or len(values) > MOST_TICKS:
        number_ticks(axes, which, found, is_log)
        return found
    if is_logarithmic(found):
        axes.set(**{f"{which}scale": "log"})
    write_values(axes, which, found, values)
    return found


def number_ticks(
    axes: Axes, which: Literal["x", "y"], values: Sequence[float], is_log: bool | None = None
) -> None:
    """Set ticks at round numbers; without `is_log` the values decide whether the scale is."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    locator: Locator = MaxNLocator(6, steps=STEPS)
    if is_logarithmic(values) if is_log is None else is_log:
        axes.set(**{f"{which}scale": "log"})
        decades = math.log10(max(values) / min(values))
        if decades > 1:
            locator = LogLocator(subs=(1, 3) if decades < 2 else (1,))
        else:
            locator = MaxNLocator(3, steps=STEPS)
    axis.set_major_locator(locator)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(NUMBER)


def labels_of(values: Sequence[object]) -> list[str]:
    """Return the labels of ticks, cut if they are long.

    >>> labels_of([32, "warmup_exponential"])
    ['32', 'warmup_exponent…']
    """
    return shortened([text(value) for value in values], MAX_LETTERS)


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Cut names to `most` letters: at the end, or in the middle if they would be equal then.

    >>> shortened(["jacket", "trousers, long", "trousers, short"], 10)
    ['jacket', 'trou…long', 'trou…short']
    """
    ends = [name if len(name) <= most else f"{name[: most - 1].rstrip()}…" for name in names]
    if len(set(ends)) == len(set(names)):
        return ends
    head, tail = (most - 1) // 2, most // 2
    return [
        name if len(name) <= most else f"{name[:head].rstrip()}…{name[-tail:].lstrip()}"
        for name in names
    ]


def write_classes(axes: Axes, which: Literal["x", "y"], names: Sequence[str], most: int) -> None:
    """Name each class beside its place, or every second, third, ... of more than `most`."""
    step = math.ceil(len(names) / most)
    write_values(axes, which, range(0, len(names), step), names[::step])


def write_values(
    axes: Axes, which: Literal["x", "y"], places: Sequence[float], values: Sequence[object]
) -> None:
    """Set a tick with each value at its position on the x or y axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FixedFormatter(labels_of(values)))
    if which == "x" and _are_crowded(axes, labels_of(values)):
        for label in axes.get_xticklabels():
            label.set(rotation=LABEL_ANGLE, ha="right", rotation_mode="anchor")


def _are_crowded(axes: Axes, labels: Sequence[str]) -> bool:
    inches = float(axes.bbox.width) / DPI
    return LETTER_WIDTH * (max(map(len, labels), default=0) + 1) * len(labels) > inches


def _unevenness(places: Array) -> float:
    gaps = np.diff(places)
    return float(gaps.std() / gaps.mean())
