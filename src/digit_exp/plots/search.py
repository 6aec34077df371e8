"""Figures of a search: best value so far, parameter importance, parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digit_exp.plots.parts.canvas import (
    BLUE,
    HEADER,
    INK,
    MUTED,
    PERCENT,
    STEPS,
    message,
    panels,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.scale import Scale

MAX_LABEL = 14
"""Letters of a value beside an axis of parallel coordinates."""

MOST_NAMES = 4
"""Axes whose names stand in one line; of more, every second name stands a line lower."""

LOWER = 18
"""Points from an axis of parallel coordinates to a name in the second line."""


@dataclass(frozen=True)
class ParallelAxis:
    """A parameter: the position of each configuration from 0 to 1, and its ticks."""

    name: str
    positions: Sequence[float | None]
    """None of a configuration that does not have the parameter."""
    ticks: Sequence[tuple[float, str]]


def best_so_far(numbers: Sequence[int], scores: Sequence[float], scale: Scale) -> Figure:
    """Draw the score of each job in the order of the sweep, and the best one until then."""
    title = "Best value so far"
    if not len(numbers):
        return message(title, "There is nothing to draw: no job has a score.")
    values = np.array(scores, float)
    low, high = scale.limits(values)
    room = 0.08 * (high - low)
    bottom = max(low - room, low / 2) if low > 0 and not scale.is_share else low - room
    top = scale.top(low, high + room)
    outside = int(((values < bottom) | (values > top)).sum())
    note = f"; {outside:,} of {len(values):,} beyond the axis" if outside else ""
    figure = sheet(3.8, title, f"a point for each job that has a score{note}")
    (axes,) = panels(figure, 1, 1)
    best = (np.maximum if scale.is_share else np.minimum).accumulate(values)
    axes.plot(numbers, values, "o", color="#AEB6C0", markersize=4, label="job")
    axes.step(numbers, best, where="post", color=BLUE, linewidth=2, label="best so far")
    style_axes(axes, "", "job", scale.label)
    scale.set_axis(axes, values)
    axes.set_ylim(bottom, top)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=STEPS))
    axes.legend(loc="best")
    return figure


def importance_bars(
    names: Sequence[str], shares: Sequence[float], limits: Sequence[tuple[float, float]]
) -> Figure:
    """Draw the share that each parameter explains, with its interval, the largest on top."""
    note = "share of the objective that each explains, with its 95 % interval"
    figure = sheet(HEADER + 0.55 + 0.3 * len(names), "Parameter importance", note)
    (axes,) = panels(figure, 1, 1)
    rows = np.arange(len(names))
    axes.barh(rows, shares, 0.55, color=BLUE)
    for row, (low, high) in zip(rows, limits, strict=True):
        if np.isfinite(low):
            axes.plot([low, high], [row, row], color=INK, linewidth=1.4)
    style_axes(axes, "", "share", "")
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    return figure


def parallel_coordinates(
    axes_of: Sequence[ParallelAxis], scores: Sequence[float], scale: Scale
) -> Figure:
    """Draw a line for each configuration through its values, dark for good, the best on top."""
    figure = sheet(4.6, "Parallel coordinates", "a line for each configuration, dark for good")
    (axes,) = panels(figure, 1, 1)
    values = np.array(scores, float)
    order = np.argsort(values if scale.is_share else -values, kind="stable")
    lines = [
        [(x, np.nan if at is None else at) for x, at in enumerate(positions)]
        for line in order.tolist()
        for positions in [[axis.positions[line] for axis in axes_of]]
    ]
    drawn = LineCollection(lines, cmap=scale.colors, norm=scale.norm(values), linewidths=1.4)
    drawn.set_array(values[order])
    drawn.set_clip_on(False)
    axes.add_collection(drawn)
    for x, axis in enumerate(axes_of):
        axes.axvline(x, color=INK, linewidth=0.8)
        for at, label in axis.ticks:
            short = label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
            axes.text(x + 0.02, at, short, size=8, color=INK, va="center", bbox=box)
    axes.set_xlim(-0.1, len(axes_of) - 0.75)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(range(len(axes_of)), [axis.name for axis in axes_of])
    axes.tick_params(length=0, labelcolor=INK)
    if len(axes_of) > MOST_NAMES:
        for tick in axes.xaxis.get_major_ticks()[1::2]:
            tick.set_pad(LOWER)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(drawn, ax=axes, format=scale.formatter, fraction=0.04, aspect=24)
    bar.locator = MaxNLocator(5)
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(scale.label, color=INK, size=9.5)
    bar.ax.tick_params(length=3, labelcolor=MUTED)
    return figure
