"""Reliability diagram: whether predictions are as often right as their confidence says."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from digit_exp.arrays import Array, Labels
from digit_exp.plots.parts.canvas import (
    BLUE,
    MUTED,
    PERCENT,
    THOUSANDS,
    panels,
    percent,
    sheet,
    style_axes,
)

FEW = 10
"""Images of a bin that are too few to judge it by."""


def reliability(
    labels: Labels, probabilities: Array, temperature: float | None, bins: int = 15
) -> Figure:
    """Draw accuracy against confidence, bin by bin: on the diagonal, a network is calibrated.

    DeGroot and Fienberg, The Statistician 32 (1983). `probabilities` are those at `temperature`,
    which is None if none was fitted.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    counts = np.bincount(which, minlength=bins)
    present = counts > 0
    mean = np.bincount(which, confidence, bins)[present] / counts[present]
    accuracy = np.bincount(which, is_right, bins)[present] / counts[present]
    error = float(np.abs(accuracy - mean) @ counts[present] / max(len(labels), 1))
    fitted = "not calibrated"
    if temperature is not None:
        fitted = f"temperature {temperature:.3g}, fitted on the validation set"
    note = f"test set; expected calibration error {percent(error, 2)}; {fitted}"
    figure = sheet(4.6, "Reliability diagram", note)
    diagram, histogram = panels(figure, 2, 2)
    _diagram(diagram, mean, accuracy, counts[present] >= FEW)
    histogram.stairs(counts, np.linspace(0, 1, bins + 1), fill=True, color=BLUE)
    histogram.set_yscale("log")
    histogram.set_ylim(0.8, 2 * max(int(counts.max(initial=1)), 1))
    style_axes(histogram, "Images by confidence", "confidence", "images in a bin, log scale")
    histogram.yaxis.set_major_locator(LogLocator())
    histogram.yaxis.set_minor_locator(NullLocator())
    histogram.yaxis.set_major_formatter(THOUSANDS)
    for axes in (diagram, histogram):
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(PERCENT)
    return figure


def _diagram(axes: Axes, mean: Array, accuracy: Array, are_many: NDArray[np.bool_]) -> None:
    """Draw the bins; those of few images are hollow, as chance moves them far."""
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (2, 2)), linewidth=1)
    few = f"fewer than {FEW} images"
    for some, fill, label in ((are_many, BLUE, "bins of images"), (~are_many, "white", few)):
        if some.any():
            axes.plot(
                mean[some], accuracy[some], "o", color=BLUE, mfc=fill, label=label, clip_on=False
            )
    style_axes(axes, "Accuracy against confidence", "mean confidence", "accuracy")
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")
