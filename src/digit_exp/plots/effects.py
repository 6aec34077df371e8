"""Main effects: the mean objective for each value of a parameter, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digit_exp.plots.parts.canvas import BLUE, HEADER, INK, message, panels, sheet, style_axes
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.parts.values import MOST_TICKS, numbers, set_axis

INTERVAL_FACTOR = 2
"""Intervals are drawn up to this many times the range of the means; an arrow marks one that is
cut off."""


@dataclass(frozen=True)
class Effect:
    """The mean for each value of one parameter, with its interval; NaN where there is none."""

    parameter: str
    values: Sequence[object]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    is_log: bool | None = None
    """Whether values from a range were drawn by their logarithm; None for listed values."""

    @property
    def rows(self) -> Iterator[tuple[float, float, float]]:
        """Mean, low and high of each value; the mean alone of values from a range."""
        ends = (self.lows, self.highs) if self.is_log is None else (self.means, self.means)
        return zip(self.means, *ends, strict=True)


def main_effects(effects: Sequence[Effect], scale: Scale) -> Figure:
    """Draw the mean for each value of every parameter, one panel each, on one scale."""
    if not effects:
        return message("Main effects", "There is nothing to draw: no parameter was varied.")
    columns = min(len(effects), 3)
    rows = math.ceil(len(effects) / columns)
    note = "mean of all jobs with the value, and its 95 % interval; an arrow: it is cut off"
    figure = sheet(HEADER + 3.2 * rows, f"Main effects on {scale.label}", note)
    grid = panels(figure, len(effects), columns)
    low, high = _window(effects, scale)
    means = np.concatenate([effect.means for effect in effects])
    for position, (axes, effect) in enumerate(zip(grid, effects, strict=True)):
        style_axes(axes, effect.parameter)
        axes.set_ylabel(scale.label)
        scale.set_axis(axes, means)
        axes.set_ylim(low, high)
        _effect(axes, effect, scale)
        if position % columns:
            axes.tick_params(labelleft=False)
            axes.set_ylabel("")
    return figure


def _window(effects: Sequence[Effect], scale: Scale) -> tuple[float, float]:
    """Return the limits of the y axis: around all intervals, but for those of far outliers.

    Intervals of two or three jobs are many times as wide as what there is to see. They may take
    INTERVAL_FACTOR times the room of the means on either side, and are cut off there.
    """
    rows = np.array([row for effect in effects for row in effect.rows], float)
    means = rows[np.isfinite(rows[:, 0]), 0]
    if not means.size:
        return 0.0, 1.0
    is_log = scale.is_log(means)
    low, high = np.log(scale.limits(means)) if is_log else scale.limits(means)
    rows = np.log(rows) if is_log else rows
    near = rows[(rows[:, 0] >= low) & (rows[:, 0] <= high)]
    reach = INTERVAL_FACTOR * float(np.ptp(near[:, 0])) or math.inf
    low = max(float(np.nanmin(near)), float(near[:, 0].min()) - reach)
    high = min(float(np.nanmax(near)), float(near[:, 0].max()) + reach)
    margin = 0.08 * (high - low) or 0.01
    if is_log:
        return math.exp(low - margin), math.exp(high + margin)
    return low - margin, scale.top(low, high + margin)


def _effect(axes: Axes, effect: Effect, scale: Scale) -> None:
    x = set_axis(axes, "x", effect.values, effect.is_log)
    axes.margins(x=0.12)
    few = len(x) <= MOST_TICKS and effect.is_log is None
    bottom, top = axes.get_ylim()
    line = "-" if few and numbers(effect.values) is not None else "none"
    axes.plot(x, effect.means, color=BLUE, linestyle=line, linewidth=1.2, alpha=0.55)
    for at, (_, low, high) in zip(x, effect.rows, strict=True):
        if np.isfinite(low):
            axes.plot([at, at], [max(low, bottom), min(high, top)], color=BLUE, linewidth=1.6)
            for is_beyond, edge, arrow in ((low < bottom, 0.03, "v"), (high > top, 0.97, "^")):
                if is_beyond:
                    axes.plot(at, edge, arrow, color=BLUE, transform=axes.get_xaxis_transform())
    axes.plot(x, effect.means, "o", color=BLUE, markersize=6 if few else 4)
    for at, mean in zip(x, effect.means, strict=True):
        if not bottom <= mean <= top:
            _mark_outside(axes, at, mean, scale)


def _mark_outside(axes: Axes, x: float, mean: float, scale: Scale) -> None:
    """Say at the bad edge of the axes what is beyond it, or that there is no number."""
    words = f"{scale.short(mean)} {'↓' if scale.is_share else '↑'}" if np.isfinite(mean) else "×"
    y, va = (0.02, "bottom") if scale.is_share else (0.98, "top")
    text = axes.text(x, y, words, size=8.5, color=INK, ha="center", va=va)
    text.set_transform(axes.get_xaxis_transform())
    text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
