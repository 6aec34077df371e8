"""What all figures share: the size, the colours, the look of the axes, and the way to a file.

Figures are made without pyplot: no global state, no screen, no window system to import. Places are
given in inches and not found by a layout engine, which would lay out every text twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    StrMethodFormatter,
)

from digit_exp.atomic import whole

Drawing = Callable[[], Figure]
"""Makes a figure when it is asked to."""

WIDTH = 9.0
"""Inches. With 120 dots an inch a little more than the column of pictures in the MLflow UI."""

DPI = 120
LEFT, RIGHT, TOP, BOTTOM = 0.9, 0.3, 1.05, 0.6
"""Inches between the edge of a figure and its axes. Title and note stand in the top margin."""

HEADER = 0.85
"""Inches: the top margin of what has no title of its own, such as a picture."""

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, MUTED, RULE = "#22272E", "#626B76", "#E3E6EA"

SPLIT_COLORS = {"train": BLUE, "val": VERMILION, "test": GREEN}
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}

STEPS = (1, 2, 5, 10)
"""Between ticks: other multiples, such as 0.00025, have labels too long for the margin."""

NUMBER = FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:g} %")
THOUSANDS = StrMethodFormatter("{x:,.0f}")


def sheet(height: float, title: str, note: str = "") -> Figure:
    """Return a white figure, `height` inches high, with a title and a line of small print."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    x = LEFT / WIDTH
    figure.text(x, 1 - 0.3 / height, title, size=13, weight="bold", color=INK, va="center")
    figure.text(x, 1 - 0.57 / height, note, size=9.5, color=MUTED, va="center")
    return figure


def message(title: str, sentence: str) -> Figure:
    """Return a small figure that says why there is nothing to draw."""
    return sheet(1.2, title, sentence)


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a place given in inches from the lower left corner."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )


def panels(
    figure: Figure,
    count: int,
    columns: int,
    *,
    right: float = RIGHT,
    top: float = TOP,
    gap: tuple[float, float] = (0.95, 0.75),
) -> list[Axes]:
    """Add `count` equal axes, row by row, with `gap` inches (across, down) between them."""
    full_width, full_height = figure.get_size_inches()
    rows = -(-count // columns)
    width = (full_width - LEFT - right + gap[0]) / columns
    height = (full_height - top - BOTTOM + gap[1]) / rows
    return [
        place(
            figure,
            LEFT + index % columns * width,
            BOTTOM + (rows - 1 - index // columns) * height,
            width - gap[0],
            height - gap[1],
        )
        for index in range(count)
    ]


def dress(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Give axes their title and labels, a light horizontal grid and no box around them."""
    axes.set_title(title, loc="left", size=10.5, color=INK, pad=7, y=1)
    axes.set_xlabel(x, size=9.5, color=INK)
    axes.set_ylabel(y, size=9.5, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(labelsize=9, labelcolor=MUTED, color=MUTED, length=3)
    axes.tick_params(axis="y", left=False)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    # Fixed places, here and for the title: labels one above the other stand in line, and
    # matplotlib need not measure every tick label to keep clear of it.
    axes.xaxis.set_label_coords(0.5, -0.27 * DPI / axes.bbox.height)
    axes.yaxis.set_label_coords(-0.68 * DPI / axes.bbox.width, 0.5)


def number_axis(axes: Axes, values: Iterable[float]) -> None:
    """Make the y axis logarithmic if the positive `values` span more than a factor of 10."""
    finite = [value for value in values if np.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > 10 * min(finite):
        decades = np.log10(max(finite) / min(finite))
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(f"{axes.get_ylabel()}, log scale")
    # Numbers as text: matplotlib's own logarithmic labels are typeset mathematics, and slow.
    axes.yaxis.set_major_formatter(NUMBER)


def percent(share: float, digits: int = 1) -> str:
    """Return a share as text. Only what is exactly 1 is 100 %.

    >>> percent(0.0312), percent(0.97931, 2), percent(0.99996), percent(1.0)
    ('3.1 %', '97.93 %', '>99.9 %', '100 %')
    """
    if share == 1:
        return "100 %"
    if share < 1 and round(100 * share, digits) == 100:
        return f">{100 - 0.1**digits:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


def draw(make: Drawing, path: Path) -> Path:
    """Write the figure that `make` returns to `path`, drawn with matplotlib's own settings."""
    with own_settings():
        return save(make(), path)


@contextmanager
def own_settings() -> Iterator[None]:
    """Give matplotlib its own settings for a while, whatever a `matplotlibrc` or a style says."""
    own = matplotlib.rcParamsDefault.items()
    with matplotlib.rc_context({key: v for key, v in own if not key.startswith("backend")}):
        yield


def save(figure: Figure, path: Path) -> Path:
    """Write `figure` to `path` as PNG and return the path.

    Whoever opens the path meanwhile finds the old file or the new one, never a part of it.
    """
    with own_settings(), whole(path) as draft:
        # Level 1 takes two thirds of the default's time and makes files 15 % larger.
        options = {"compress_level": 1}
        figure.savefig(draft, format="png", backend="agg", pil_kwargs=options)
    return path
