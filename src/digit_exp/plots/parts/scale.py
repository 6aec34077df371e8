"""The objective of a sweep on an axis: limits, colours, and how a value is written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.ticker import FuncFormatter

from digit_exp.arrays import Array
from digit_exp.plots.parts.canvas import NUMBER, PERCENT, number_axis

OUTLIER_FACTOR = 4
"""Colours end this many times the distance of the median from the best below the best: one
configuration that does not train must not make all others look alike."""


@dataclass(frozen=True)
class Scale:
    """The quantity that a sweep compares its jobs by."""

    label: str
    is_share: bool
    """An accuracy: more is better, written in percent. Of anything else less is better."""

    def norm(self, values: Array) -> Normalize:
        """Return how colours are given to values, in the order of an axis."""
        kind = LogNorm if self.is_log(values) else Normalize
        return kind(*self.limits(values))

    def is_log(self, values: Array) -> bool:
        """Whether it is drawn logarithmically, as losses are in all figures."""
        return "loss" in self.label and float(np.nanmin(values)) > 0

    def set_axis(self, axes: Axes, values: Array) -> None:
        """Make it the y axis, for these values."""
        number_axis(axes, values, 1 if self.is_log(values) else math.inf)
        axes.yaxis.set_major_formatter(self.formatter)

    @property
    def formatter(self) -> FuncFormatter:
        """The formatter of its axis."""
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
            low = max(low, high - OUTLIER_FACTOR * (high - median))
        else:
            high = min(high, low + OUTLIER_FACTOR * (median - low))
        if low < high:
            return low, high
        return low - 1e-3, min(high + 1e-3, 1.0) if self.is_share else high + 1e-3

    def top(self, low: float, high: float) -> float:
        """Return the end of an axis from `low`: not far above 100 % for an accuracy."""
        return min(high, 1 + 0.04 * (1 - low)) if self.is_share else high
