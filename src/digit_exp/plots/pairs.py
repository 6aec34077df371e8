"""The mean objective for two parameters of a sweep: cells of a grid, or points of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digit_exp.arrays import Array
from digit_exp.plots.parts.canvas import (
    HEADER,
    INK,
    MUTED,
    RULE,
    message,
    panels,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.parts.values import set_axis, write_values

PANEL = 3.1
"""Inches: how high a pair is with its labels."""

MOST_CELLS = 12
"""Values of a parameter of which a pair is drawn as cells."""


@dataclass(frozen=True)
class Pair:
    """The mean for each pair of values of two parameters; NaN where there is none."""

    x: str
    y: str
    x_values: Sequence[object]
    y_values: Sequence[object]
    means: Array
    """Shape `(y_values, x_values)`."""
    is_log: Mapping[str, bool] = field(default_factory=dict)
    """For parameters drawn from a range: whether by their logarithm."""

    @property
    def is_grid(self) -> bool:
        """Whether most pairs of values were tried, and are few enough to be cells."""
        are_tried = float(np.isfinite(self.means).mean()) > 0.5
        return not self.is_log and max(self.means.shape) <= MOST_CELLS and are_tried


def pair_maps(pairs: Sequence[Pair], scale: Scale) -> Figure:
    """Draw every pair of parameters: cells where it is a grid, points where it is a search."""
    known = [pair.means[np.isfinite(pair.means)] for pair in pairs]
    if not sum(len(means) for means in known):
        return message("Pairs of parameters", "There is nothing to draw: fewer than two varied.")
    columns = min(len(pairs), 2)
    rows = math.ceil(len(pairs) / columns)
    note = f"mean {scale.label} over all other parameters"
    figure = sheet(HEADER + PANEL * rows, "Pairs of parameters", note)
    means = np.concatenate(known)
    norm = scale.norm(means)
    grid = panels(figure, len(pairs), columns)
    for axes, pair in zip(grid, pairs, strict=True):
        style_axes(axes, "", pair.x, pair.y)
        draw = _cells if pair.is_grid else _points
        draw(axes, pair, scale, norm)
    _color_bar(grid, norm, scale, means)
    return figure


def _cells(axes: Axes, pair: Pair, scale: Scale, norm: Normalize) -> None:
    rows, columns = pair.means.shape
    across, down = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    means = np.ma.masked_invalid(pair.means)
    cells = axes.pcolormesh(across, down, means, cmap=scale.colors, norm=norm)
    cells.set(edgecolors="white", linewidth=1.5)
    write_values(axes, "x", range(columns), pair.x_values)
    write_values(axes, "y", range(rows), pair.y_values)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    size = 9.5 if columns <= 4 else 7.5
    for row, column in np.ndindex(rows, columns):
        mean = float(pair.means[row, column])
        known = np.isfinite(mean)
        is_dark = known and (norm(mean) > 0.55 if scale.is_share else norm(mean) < 0.45)
        words, color = scale.short(mean) if known else "–", "white" if is_dark else INK
        axes.text(column, row, words, size=size, color=color, ha="center", va="center")


def _points(axes: Axes, pair: Pair, scale: Scale, norm: Normalize) -> None:
    places = set_axis(axes, "x", pair.x_values, pair.is_log.get(pair.x))
    heights = set_axis(axes, "y", pair.y_values, pair.is_log.get(pair.y))
    rows, columns = np.nonzero(np.isfinite(pair.means))
    x, y, means = np.array(places)[columns], np.array(heights)[rows], pair.means[rows, columns]
    points = axes.scatter(x, y, s=34, c=means, cmap=scale.colors, norm=norm)
    points.set(edgecolors=MUTED, linewidths=0.4)
    axes.margins(0.08)
    axes.grid(axis="x", color=RULE, linewidth=0.8)


def _color_bar(grid: Sequence[Axes], norm: Normalize, scale: Scale, means: Array) -> None:
    """Draw the scale of colours at the right edge; an arrow marks values beyond it."""
    beyond = {(True, False): "min", (False, True): "max"}
    outside = (bool(means.min() < norm.vmin), bool(means.max() > norm.vmax))
    bar = grid[0].figure.colorbar(
        ScalarMappable(norm, scale.colors),
        ax=grid,
        format=scale.formatter,
        extend=beyond.get(outside, "neither"),
        fraction=0.05,
        aspect=16,
        shrink=1 / (len(grid) / 2) ** 0.5 if len(grid) > 2 else 1,
        anchor=(0, 1),
    )
    bar.locator = MaxNLocator(5)
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=3)
