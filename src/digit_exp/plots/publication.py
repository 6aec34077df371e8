"""Figures for papers: a column wide, PDF or SVG, with text that stays text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from digit_exp.arrays import Metrics
from digit_exp.atomic import whole
from digit_exp.plots.parts.canvas import Drawing, own_settings

COLUMN = 3.35
"""Inches: 85 mm, the width of a column in most journals and conferences."""

STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,  # publishers refuse Type 3 fonts
    "svg.fonttype": "none",
    "svg.hashsalt": "digit-exp",  # the same figure is the same file
}


def scores(
    labels: Sequence[str],
    means: Sequence[float],
    errors: Sequence[tuple[float, float]],
    label: str,
) -> Figure:
    """Draw the mean of each configuration with its interval, the best at the top."""
    figure = Figure(figsize=(COLUMN, 0.7 + 0.2 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(labels))
    limits = np.abs(np.nan_to_num(np.array(errors, float).reshape(-1, 2).T))
    axes.errorbar(means, places, xerr=limits, fmt="o", markersize=3, capsize=2, linewidth=1)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", linewidth=0.3)
    return figure


def curves(runs: Mapping[str, Sequence[Sequence[Metrics]]], metric: str, label: str) -> Figure:
    """Draw a metric by epoch for each configuration: mean and range over its seeds."""
    figure = Figure(figsize=(COLUMN, 2.4), layout="constrained")
    axes = figure.add_subplot()
    for name, histories in runs.items():
        series = [{row["epoch"]: row[metric] for row in one if metric in row} for one in histories]
        common = sorted(set.intersection(*map(set, series))) if series else []
        if common:
            values = np.array([[one[epoch] for epoch in common] for one in series], float)
            (line,) = axes.plot(common, values.mean(axis=0), linewidth=1, label=name)
            low, high, color = values.min(axis=0), values.max(axis=0), line.get_color()
            axes.fill_between(common, low, high, color=color, alpha=0.2, linewidth=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    if axes.lines:
        axes.legend(frameon=False)
    return figure


def write(make: Drawing, file: Path) -> Path:
    """Write the figure that `make` returns as PDF or SVG, as the name of the file ends."""
    kind = file.suffix.lower().removeprefix(".")
    dates = {"CreationDate": None} if kind == "pdf" else {"Date": None}
    with own_settings(), whole(file) as draft:
        matplotlib.rcParams.update(STYLE)
        make().savefig(draft, format=kind, metadata=dates)
    return file
