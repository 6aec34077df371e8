"""Errors of a network: classes taken for each other, and confident errors."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.plots.parts.canvas import (
    DPI,
    HEADER,
    INK,
    LEFT,
    MUTED,
    PERCENT,
    TOP,
    message,
    percent,
    place,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.mosaic import PAPER, brightest, dots_per_pixel, mosaic, show
from digit_exp.plots.parts.values import (
    CLASS_LETTERS,
    LETTER_WIDTH,
    MAX_LETTERS,
    shortened,
    write_classes,
)

Counts = NDArray[np.intp]

NUMBERED, NAMED = (LEFT - 0.2, 0.65, 5.3), (0.45, 1.05, 4.4)
"""Inches left of the matrix, below it, and its size: with numbers of classes, and with names,
whose own width is left of it as well."""

MOST_NUMBERS = 16
"""Classes of which every cell has its number; the cells of more would be too small for it."""

MOST_NAMES, MOST_SHORT = 20, 30
"""Classes that are named beside the matrix, and such with short names."""

MOST_PAIRS = 12
"""Lines in the list of frequent errors."""

SHORT = 2
"""Letters of a class name that is written like a number."""

COLUMNS = 5
CELL_WIDTH, GAP = 1.62, 0.17
"""Inches: a misread image with the text beside it, and the space between two rows."""

IMAGE, SMALL_IMAGE = (1.0, 0.95), (0.75, 0.75)
"""Inches, height and width: the most that a misread image takes, beside a number or a name."""

ERRORS = matplotlib.colormaps["Oranges"].with_extremes(bad="#BCD6E8")
"""Small to large errors, and the diagonal, which is not a number on their scale."""


def confusion_matrix(labels: Labels, predictions: Labels, names: Sequence[str]) -> Figure:
    """Draw how many images of each class are predicted to be of which.

    Errors have a colour scale of their own. On that of the diagonal none of them would be seen.
    """
    classes = len(names)
    counts = np.bincount(labels * classes + predictions, minlength=classes**2)
    counts = counts.reshape(classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, total = int(counts.trace()), len(labels)
    left, below, size = _place(names)
    figure = sheet(
        size + TOP + below,
        f"Confusion matrix, accuracy {percent(right / max(total, 1), 2)}",
        f"{right:,} of {total:,} images right, {total - right:,} misclassified",
    )
    axes = place(figure, left, below, size, size)
    largest = float(np.where(np.eye(classes, dtype=bool), 0, shares).max()) or 1.0
    errors = _cells(axes, shares, largest, names)
    if classes <= MOST_NUMBERS:
        _numbers(axes, counts, shares, largest)
    if right < total:
        notes = left + size + 0.85
        _error_scale(figure, errors, (notes, below + size - 0.32))
        _frequent_errors(figure, counts, shares, names, (notes, below + size - 1.05))
    return figure


def misread_digits(
    images: Array | Pixels,
    labels: Labels,
    probabilities: Array,
    names: Sequence[str],
    count: int = 25,
) -> Figure:
    """Draw the images whose wrong prediction is the most confident, the worst first."""
    title, names = "Most confident errors", shortened(names, CLASS_LETTERS)
    predictions = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    if not wrong.size:
        return message(title, f"All {len(labels):,} images were classified correctly.")
    worst = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:count]]
    height, width = images.shape[1:]
    are_short = _are_short(names)
    dots = dots_per_pixel((height, width), IMAGE if are_short else SMALL_IMAGE)
    per_inch = DPI / dots
    cell = (height + round(GAP * per_inch), int(CELL_WIDTH * per_inch))
    large = mosaic(images[worst], COLUMNS, cell)
    figure = sheet(
        HEADER + len(large) / per_inch,
        title,
        f"true → predicted class, with the confidence of `predict`;"
        f" {len(worst):,} of {len(wrong):,} errors among {len(labels):,} images",
    )
    axes = show(figure, large, dots, PAPER, (0, brightest(images))).axes
    size = (12 if len(names) <= 10 else 9.5) if are_short else 8  # two digits must fit as well
    for position, (true, row) in enumerate(zip(labels[worst], probabilities[worst], strict=True)):
        top, left = (n * step for n, step in zip(divmod(position, COLUMNS), cell, strict=True))
        x, y = left + width + 0.08 * per_inch, top + height / 2
        words = f"{names[true]} →{' ' if are_short else chr(10)}{names[row.argmax()]}"
        axes.text(x, y, words, size=size, color=INK, va="bottom")
        sure = percent(float(row.max()))
        axes.text(x, y + 0.05 * per_inch, sure, size=8.5, color=MUTED, va="top")
    return figure


def _are_short(names: Sequence[str]) -> bool:
    return max(map(len, names), default=0) <= SHORT


def _place(names: Sequence[str]) -> tuple[float, float, float]:
    """Return the inches left of the matrix, below it, and its size."""
    if _are_short(names):
        return NUMBERED
    left, below, size = NAMED
    return left + LETTER_WIDTH * min(max(map(len, names)), MAX_LETTERS), below, size


def _cells(axes: Axes, shares: Array, largest: float, names: Sequence[str]) -> QuadMesh:
    """Colour the cells: the diagonal in quiet blue, the errors in orange up to the `largest`."""
    classes = len(shares)
    edges = np.arange(classes + 1) - 0.5
    off_diagonal = np.where(np.eye(classes, dtype=bool), np.nan, shares)
    errors = axes.pcolormesh(edges, edges, off_diagonal, cmap=ERRORS, vmin=0, vmax=largest)
    errors.set(edgecolors="white", linewidth=1 if classes <= MOST_NUMBERS else 0.3)
    style_axes(axes, "", "predicted class", "true class")
    axes.set_ylim(classes - 0.5, -0.5)
    axes.grid(visible=False)
    most = MOST_SHORT if _are_short(names) else MOST_NAMES
    write_classes(axes, "x", names, most)
    write_classes(axes, "y", names, most)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return errors


def _numbers(axes: Axes, counts: Counts, shares: Array, largest: float) -> None:
    classes = len(counts)
    size = 9.5 if classes <= 12 else 7
    for row, column in zip(*np.nonzero(counts), strict=True):
        is_dark = row != column and shares[row, column] > 0.6 * largest
        color = "white" if is_dark else INK
        text = f"{counts[row, column]:,}"
        axes.text(column, row, text, size=size, color=color, ha="center", va="center")
    edge = classes - 0.45
    for row in np.flatnonzero(counts.sum(axis=1)).tolist():
        axes.text(edge, row, percent(shares[row, row]), size=size, color=MUTED, va="center")
    axes.text(edge, -0.55, "recall", size=size, color=MUTED, va="bottom")


def _error_scale(figure: Figure, errors: QuadMesh, at: tuple[float, float]) -> None:
    axes = place(figure, *at, 1.6, 0.14)
    axes.set_title("errors, share of true class", loc="left", size=9, color=INK, pad=5)
    bar = figure.colorbar(errors, cax=axes, orientation="horizontal", format=PERCENT)
    bar.locator = MaxNLocator(3)
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=8.5, labelcolor=MUTED, color=MUTED, length=3)


def _frequent_errors(
    figure: Figure, counts: Counts, shares: Array, names: Sequence[str], at: tuple[float, float]
) -> None:
    """List the pairs of classes that are confused most often, in three aligned columns.

    `at` is where the list begins, in inches from the lower left corner.
    """
    errors = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    pairs = [divmod(int(i), len(counts)) for i in np.argsort(-errors, axis=None, kind="stable")]
    pairs = [pair for pair in pairs[:MOST_PAIRS] if errors[pair]]
    size = 9.5 if _are_short(names) else 8
    names = shortened(names, CLASS_LETTERS)
    lines = {
        0.0: ["true → predicted", *(f"{names[true]} → {names[read]}" for true, read in pairs)],
        1.65: ["", *(f"{errors[pair]:,}" for pair in pairs)],
        2.15: ["", *(percent(float(shares[pair])) for pair in pairs)],
    }
    width, height = figure.get_size_inches()
    left, top = at
    figure.text(left / width, top / height, "Most frequent errors", size=10.5, color=INK)
    for x, column in lines.items():
        corner, words = ((left + x) / width, (top - 0.15) / height), "\n".join(column)
        text = figure.text(*corner, words, size=size, color=MUTED, linespacing=1.6)
        text.set(va="top", ha="left" if x == 0 else "right")
