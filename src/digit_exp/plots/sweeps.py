"""What a sweep found: effects of its parameters, the best curves, accuracy against time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from digit_exp.arrays import Array
from digit_exp.plots.canvas import (
    BLUE,
    GREEN,
    HEADER,
    INK,
    MUTED,
    NUMBER,
    PERCENT,
    STEPS,
    VERMILION,
    dress,
    message,
    panels,
    sheet,
)
from digit_exp.plots.curves import History
from digit_exp.plots.values import MOST_TICKS, measure, numbers, stand

CURVES = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00")
"""Okabe and Ito's colours, as on the canvas."""

ROOM = 4
"""Colours end this many times the distance of the median from the best below the best: one
configuration that does not train must not make all others look alike."""

REACH = 2
"""How far beyond the means intervals are drawn, in parts of the distance between the means."""

MOST_RANKS = 20
"""Ranks that are written beside points, but for those on the Pareto front."""

LINE = 0.24
"""Inches from one line of a legend to the next."""


@dataclass(frozen=True)
class Scale:
    """The quantity that a sweep compares its jobs by."""

    label: str
    is_share: bool
    """An accuracy: more is better, written in percent. Of anything else less is better."""

    @property
    def formatter(self) -> FuncFormatter:
        """How an axis writes it."""
        return PERCENT if self.is_share else NUMBER

    @property
    def colors(self) -> Colormap:
        """Dark for good."""
        colors = matplotlib.colormaps["YlGnBu" if self.is_share else "YlGnBu_r"]
        return colors.with_extremes(bad="#F4F5F7")

    def short(self, value: float) -> str:
        """Write a value into a cell."""
        return f"{100 * value:.2f}" if self.is_share else f"{value:.3g}"

    def limits(self, values: Array) -> tuple[float, float]:
        """Return where colours begin and end, without far outliers on the bad side."""
        low, high, median = float(values.min()), float(values.max()), float(np.median(values))
        if self.is_share:
            low = max(low, high - ROOM * (high - median))
        else:
            high = min(high, low + ROOM * (median - low))
        return (low, high) if low < high else (low - 1e-3, high + 1e-3)


@dataclass(frozen=True)
class Effect:
    """The mean for each value of one parameter, with its interval; NaN where there is none."""

    parameter: str
    values: Sequence[object]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


def main_effects(effects: Sequence[Effect], scale: Scale) -> Figure:
    """Draw the mean for each value of every parameter, one panel each, on one scale."""
    if not effects:
        return message("Main effects", "There is nothing to draw: no parameter was varied.")
    columns = min(len(effects), 3)
    rows = math.ceil(len(effects) / columns)
    note = "mean of all jobs with the value, and its 95 % interval"
    figure = sheet(HEADER + 3.2 * rows, f"Main effects on {scale.label}", note)
    grid = panels(figure, len(effects), columns)
    low, high = _window(effects, scale)
    for position, (axes, effect) in enumerate(zip(grid, effects, strict=True)):
        dress(axes, effect.parameter)
        axes.set_ylim(low, high)
        _effect(axes, effect, scale)
        axes.yaxis.set_major_formatter(scale.formatter)
        if position % columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(scale.label)
    return figure


def best_curves(
    runs: Mapping[str, Sequence[History]], title: str = "Learning curves of the best"
) -> Figure:
    """Draw validation loss and accuracy of some configurations: each replicate and their mean."""
    if not any(history for histories in runs.values() for history in histories):
        return message(title, "There is nothing to draw: no epoch was measured.")
    many = any(len(histories) > 1 for histories in runs.values())
    note = "thick: mean of the replicates, over the epochs that all have; thin: each of them"
    figure = sheet(HEADER + LINE * len(runs) + 3.6, title, note if many else "")
    loss, accuracy = panels(figure, 2, 2)
    for axes, metric, name, unit in (
        (loss, "val_loss", "Validation loss", "cross-entropy loss (nats)"),
        (accuracy, "val_acc", "Validation accuracy", "accuracy"),
    ):
        for (label, histories), color in zip(runs.items(), CURVES, strict=False):
            _replicates(axes, [_series(history, metric) for history in histories], label, color)
        dress(axes, name, "epoch", unit)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=STEPS, min_n_ticks=1))
    loss.yaxis.set_major_formatter(NUMBER)
    accuracy.yaxis.set_major_formatter(PERCENT)
    figure.legend(
        *loss.get_legend_handles_labels(),
        loc="outside lower left",
    )
    return figure


def trade_off(
    seconds: Sequence[float],
    scores: Sequence[float],
    ranks: Sequence[int],
    front: Sequence[int],
    scale: Scale,
) -> Figure:
    """Draw the score against training time, a point for each configuration, with its rank.

    `front` are the indices, in order of time, of those that no other beats in both.
    """
    title = f"{scale.label.capitalize()} against training time"
    if not len(seconds):
        return message(title, "There is nothing to draw: no job came to a number.")
    note = "a configuration each, with its rank; the line joins those that none beats in both"
    figure = sheet(4.2, title, note)
    (axes,) = panels(figure, 1, 1)
    dress(axes, "", "training time (s)", scale.label)
    x, y = np.array(seconds, float), np.array(scores, float)
    axes.scatter(x, y, s=30, color="#AEB6C0", zorder=2, label="configuration")
    axes.plot(
        x[front],
        y[front],
        color=BLUE,
        drawstyle="steps-post",
        marker="o",
        markersize=6.5,
        zorder=3,
        label="Pareto front",
    )
    for index, at in enumerate(zip(x, y, strict=True)):
        _name(axes, at, ranks[index], index in front, scale)
    measure(axes, "x", x.tolist())
    axes.yaxis.set_major_formatter(scale.formatter)
    axes.margins(0.06, 0.1)
    return figure


def _name(axes: Axes, at: tuple[float, float], rank: int, is_on_front: bool, scale: Scale) -> None:
    """Write the rank of a configuration beside its point, on the front on its good side."""
    if is_on_front:
        offset = (-5, 5 if scale.is_share else -13)
        axes.annotate(
            str(rank),
            at,
            offset,
            textcoords="offset points",
            size=9.5,
            weight="bold",
            color=BLUE,
            ha="right",
        )
    elif rank <= MOST_RANKS:
        axes.annotate(str(rank), at, (5, -3), textcoords="offset points", size=8, color=MUTED)


def _window(effects: Sequence[Effect], scale: Scale) -> tuple[float, float]:
    """Return the limits of the y axis: around all intervals, but for those of far outliers.

    Intervals of two or three jobs are many times as wide as what there is to see. They may take
    REACH times the room of the means on either side, and are cut off there.
    """
    rows = np.array(
        [row for e in effects for row in zip(e.means, e.lows, e.highs, strict=True)], float
    )
    means = rows[np.isfinite(rows[:, 0]), 0]
    if not means.size:
        return 0.0, 1.0
    low, high = scale.limits(means)
    near = rows[(rows[:, 0] >= low) & (rows[:, 0] <= high)]
    reach = REACH * float(np.ptp(near[:, 0])) or math.inf
    low = max(float(np.nanmin(near)), float(near[:, 0].min()) - reach)
    high = min(float(np.nanmax(near)), float(near[:, 0].max()) + reach)
    margin = 0.08 * (high - low) or 0.01
    return low - margin, min(high + margin, 1.005) if scale.is_share else high + margin


def _effect(axes: Axes, effect: Effect, scale: Scale) -> None:
    x = stand(axes, "x", effect.values)
    axes.margins(x=0.12)
    few = len(x) <= MOST_TICKS
    line = "-" if few and numbers(effect.values) is not None else "none"
    axes.plot(x, effect.means, color=BLUE, linestyle=line, linewidth=1.2, alpha=0.55)
    for at, low, high in zip(x, effect.lows, effect.highs, strict=True):
        if np.isfinite(low):
            axes.plot([at, at], [low, high], color=BLUE, linewidth=1.6)
    axes.plot(x, effect.means, "o", color=BLUE, markersize=6 if few else 4)
    bottom, top = axes.get_ylim()
    for at, mean in zip(x, effect.means, strict=True):
        if not bottom <= mean <= top:
            _mark_outside(axes, at, mean, scale)


def _mark_outside(axes: Axes, x: float, mean: float, scale: Scale) -> None:
    """Say at the bad edge of the axes what is beyond it, or that there is no number."""
    words = f"{scale.short(mean)} {'↓' if scale.is_share else '↑'}" if np.isfinite(mean) else "×"
    axes.text(
        x,
        0.02 if scale.is_share else 0.98,
        words,
        transform=axes.get_xaxis_transform(),
        size=8.5,
        color=INK,
        ha="center",
        va="bottom" if scale.is_share else "top",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _series(history: History, metric: str) -> dict[float, float]:
    """Return the metric of each epoch that has it."""
    return {row["epoch"]: row[metric] for row in history if np.isfinite(row.get(metric, math.nan))}


def _replicates(axes: Axes, series: Sequence[dict[float, float]], label: str, color: str) -> None:
    if len(series) > 1:
        for one in series:
            axes.plot(list(one), list(one.values()), color=color, linewidth=0.8, alpha=0.35)
    common = [epoch for epoch in series[0] if all(epoch in one for one in series)]
    means = [float(np.mean([one[epoch] for one in series])) for epoch in common]
    marker = "o" if len(common) == 1 else None
    axes.plot(common, means, color=color, linewidth=2, marker=marker, label=label)
