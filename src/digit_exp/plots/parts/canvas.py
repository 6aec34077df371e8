"""What all figures share: size, colours, style of the axes, and writing them to a file.

Figures are made without pyplot: no global state, no screen, no window system to import. Charts are
laid out by matplotlib's constrained layout; images have places in inches, so that a pixel is a
whole number of dots.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure  # for those who name the type of a figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    StrMethodFormatter,
)

from digit_exp.atomic import whole

Drawing = Callable[[], Figure]
"""Returns a figure."""

WIDTH = 9.0
"""Inches. With 120 dots an inch a little more than the column of pictures in the MLflow UI."""

DPI = 120
LEFT, RIGHT, TOP = 0.9, 0.3, 1.05
"""Inches between the edge of a figure and an image. Title and note stand in the top margin."""

HEADER = 0.85
"""Inches: the top margin of charts, and of images without a title of their own."""

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, MUTED, RULE = "#22272E", "#626B76", "#E3E6EA"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlepad": 7,
    "axes.titlesize": 10.5,
    "grid.color": RULE,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.labelcolor": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "xtick.major.size": 3,
    "ytick.color": MUTED,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
}
"""matplotlib's settings for all figures."""

SPLIT_COLORS = {"train": BLUE, "val": VERMILION, "test": GREEN}
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}

STEPS = (1, 2, 5, 10)
"""Steps between ticks; others, such as 0.00025, have long labels."""

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


def panels(figure: Figure, count: int, columns: int) -> list[Axes]:
    """Add `count` equal axes below the header, row by row; the layout makes room for labels."""
    header = HEADER / figure.get_figheight()
    figure.set_layout_engine(
        "constrained", rect=(0.01, 0.01, 0.98, 0.99 - header), w_pad=0.1, h_pad=0.1
    )
    at_first = {"left": LEFT / WIDTH, "right": 1 - RIGHT / WIDTH}  # until the layout is made
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=at_first).ravel()
    for axes in grid[count:]:
        axes.remove()
    return list(grid[:count])


def style_axes(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Set title, labels and some six ticks at round numbers."""
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))


def number_axis(axes: Axes, values: Iterable[float], factor: float = 10) -> None:
    """Make the y axis logarithmic if the positive `values` span at least `factor`.

    Of a loss that is 1, so that all figures have the same scale.
    """
    finite = [value for value in values if np.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) >= factor * min(finite):
        decades = np.log10(max(finite) / min(finite))
        axes.set_yscale("log")
        spread = LogLocator(subs=(1, 2, 5) if decades < 3 else (1,))
        axes.yaxis.set_major_locator(spread if decades > 1.2 else MaxNLocator(6, steps=STEPS))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(f"{axes.get_ylabel()}, log scale")
    # Numbers as text: matplotlib's own logarithmic labels are typeset mathematics, and slow.
    axes.yaxis.set_major_formatter(NUMBER)


def end_at_one(axes: Axes) -> None:
    """Let the y axis of an accuracy end not far above 100 %."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(top=min(top, 1 + 0.02 * (1 - bottom)))


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
    """Draw with matplotlib's defaults and STYLE, whatever a `matplotlibrc` says."""
    own = matplotlib.rcParamsDefault.items()
    with matplotlib.rc_context({key: v for key, v in own if not key.startswith("backend")}):
        matplotlib.rcParams.update(STYLE)
        yield


def save(figure: Figure, path: Path) -> Path:
    """Write `figure` to `path` as PNG and return the path.

    The write is atomic: a reader sees the old file or the complete new one.
    """
    with own_settings(), whole(path) as draft:
        # Level 1 takes two thirds of the default's time and makes files 15 % larger.
        options = {"compress_level": 1}
        figure.savefig(draft, format="png", backend="agg", pil_kwargs=options)
    return path


def drawn_with() -> str:
    """Draw a small figure and return by which matplotlib, and where."""
    message("title", "note").savefig(io.BytesIO(), format="png")
    chosen = os.environ.get("MPLBACKEND")
    backend = f"; MPLBACKEND={chosen} has no effect" if chosen else ""
    return f"matplotlib {matplotlib.__version__} draws PNG without a window{backend}"
