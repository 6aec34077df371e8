"""Configurations of a sweep: learning curves, and the objective against training time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digit_exp.plots.curves import History
from digit_exp.plots.parts.canvas import (
    BLUE,
    GREEN,
    HEADER,
    MUTED,
    PERCENT,
    STEPS,
    VERMILION,
    end_at_one,
    message,
    number_axis,
    panels,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.parts.values import number_ticks

CURVES = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00")
"""Okabe and Ito's colours, as on the canvas."""

MOST_RANKS = 20
"""Ranks that are written beside points, but for those on the Pareto front."""

LINE = 0.24
"""Inches from one line of a legend to the next."""


def best_curves(
    runs: Mapping[str, Sequence[History]], title: str = "Learning curves of the best"
) -> Figure:
    """Draw validation loss and accuracy of some configurations: mean and range of the seeds."""
    if not any(history for histories in runs.values() for history in histories):
        return message(title, "There is nothing to draw: no epoch was measured.")
    many = any(len(histories) > 1 for histories in runs.values())
    note = "line: mean of the seeds; band: lowest to highest; thin: seeds that trained longer"
    figure = sheet(HEADER + LINE * len(runs) + 3.6, title, note if many else "")
    loss, accuracy = panels(figure, 2, 2)
    for axes, metric, name, unit in (
        (loss, "val_loss", "Validation loss", "cross-entropy loss (nats)"),
        (accuracy, "val_acc", "Validation accuracy", "accuracy"),
    ):
        for (label, histories), color in zip(runs.items(), CURVES, strict=False):
            _replicates(axes, [_series(history, metric) for history in histories], label, color)
        style_axes(axes, name, "epoch", unit)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=STEPS, min_n_ticks=1))
    histories = [history for some in runs.values() for history in some]
    number_axis(loss, [loss for one in histories for loss in _series(one, "val_loss").values()], 1)
    accuracy.yaxis.set_major_formatter(PERCENT)
    end_at_one(accuracy)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower left")
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
        return message(title, "There is nothing to draw: no job has a score.")
    note = "a configuration each, with its rank; the line joins those that none beats in both"
    figure = sheet(4.2, title, note)
    (axes,) = panels(figure, 1, 1)
    style_axes(axes, "", "training time (s)", scale.label)
    x, y = np.array(seconds, float), np.array(scores, float)
    axes.scatter(x, y, s=30, color="#AEB6C0", zorder=2, label="configuration")
    (line,) = axes.step(x[front], y[front], "o-", where="post", color=BLUE, label="Pareto front")
    line.set(markersize=6.5, zorder=3)
    for index, at in enumerate(zip(x, y, strict=True)):
        _name(axes, at, ranks[index], index in front, scale)
    number_ticks(axes, "x", x.tolist())
    scale.set_axis(axes, y)
    axes.margins(0.06, 0.1)
    if scale.is_share:
        end_at_one(axes)
    return figure


def _name(axes: Axes, at: tuple[float, float], rank: int, is_on_front: bool, scale: Scale) -> None:
    """Write the rank of a configuration beside its point, on the front on its good side."""
    if is_on_front:
        offset = (-5, 5 if scale.is_share else -13)
        name = axes.annotate(str(rank), at, offset, textcoords="offset points", ha="right")
        name.set(size=9.5, weight="bold", color=BLUE)
    elif rank <= MOST_RANKS:
        axes.annotate(str(rank), at, (5, -3), textcoords="offset points", size=8, color=MUTED)


def _series(history: History, metric: str) -> dict[float, float]:
    return {row["epoch"]: row[metric] for row in history if np.isfinite(row.get(metric, math.nan))}


def _replicates(axes: Axes, series: Sequence[dict[float, float]], label: str, color: str) -> None:
    """Draw the mean of the seeds over their common epochs, with a band from lowest to highest."""
    common = [epoch for epoch in series[0] if all(epoch in one for one in series)]
    values = np.array([[one[epoch] for epoch in common] for one in series], float)
    marker = "o" if len(common) == 1 else None
    axes.plot(common, values.mean(axis=0), color=color, linewidth=2, marker=marker, label=label)
    if len(series) == 1:
        return
    axes.fill_between(
        common, values.min(axis=0), values.max(axis=0), color=color, alpha=0.18, linewidth=0
    )
    for one in series:
        rest = [epoch for epoch in one if not common or epoch >= common[-1]]
        if len(rest) > 1:
            axes.plot(rest, [one[epoch] for epoch in rest], color=color, linewidth=0.8, alpha=0.6)
