"""Figures of the weights: their distribution, and those of the first layer as images."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from digit_exp.arrays import Array
from digit_exp.plots.parts.canvas import (
    BLUE,
    DPI,
    HEADER,
    INK,
    MUTED,
    NUMBER,
    STEPS,
    THOUSANDS,
    TOP,
    message,
    panels,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.mosaic import PAPER, dots_per_pixel, mosaic, show, with_gap

PICTURE = (6.1, 6.3)
"""Inches, height and width: the most that the picture of the first layer takes."""

BINS = 61
"""Odd, so that the middle bin holds the weights around zero."""

DIVERGING = matplotlib.colormaps["RdBu_r"].with_extremes(bad="white")


def weight_histograms(weights: Mapping[str, Array]) -> Figure:
    """Draw the distribution of every weight matrix, one panel each."""
    if not weights:
        return message("Weights", "There is nothing to draw: the network has no weights.")
    columns = min(len(weights), 3)
    rows = math.ceil(len(weights) / columns)
    figure = sheet(
        HEADER + 3 * rows, "Weights", "how many weights have which value, biases left out"
    )
    grid = panels(figure, len(weights), columns)
    for axes, (name, matrix) in zip(grid, weights.items(), strict=True):
        _histogram(axes, name, matrix)
    return figure


def first_layer_weights(weights: Array, image_shape: tuple[int, int], count: int = 64) -> Figure:
    """Draw the columns of `weights`, what each unit of the first layer looks for, as images.

    Of more than `count` units, those with the largest weights are shown, largest first.
    """
    units = weights.shape[1]
    order = np.argsort(-np.square(weights).sum(axis=0), kind="stable")[:count]
    tiles = weights[:, order].T.reshape(-1, *image_shape)
    cell = with_gap(image_shape)
    columns = _columns(len(tiles), cell)
    large = mosaic(tiles, columns, cell)

    note = (
        f"{len(tiles)} of {units:,} units, those with the largest weights first;"
        f" ink on a red pixel raises the unit, on a blue one lowers it"
    )
    dots = dots_per_pixel(large.shape, PICTURE)
    figure = sheet(TOP + dots / DPI * len(large), "Weights of the first layer", note)
    finite = np.abs(tiles[np.isfinite(tiles)])
    limit = float(np.percentile(finite, 99.5)) if finite.size else 1.0
    picture = show(figure, large, dots, DIVERGING, (-(limit or 1.0), limit or 1.0))
    _scale(figure, picture)
    return figure


def feature_maps(images: Array, maps: Array, count: int = 9) -> Figure:
    """Draw what filters of the first layer make of images: a row an image, a column a filter.

    `images` have the shape `(n, height, width)` and `maps` `(n, rows, columns, filters)`. Those
    `count` filters are shown whose maps differ most, each on a scale of its own.
    """
    order = np.argsort(-maps.var(axis=(0, 1, 2)), kind="stable")[:count]
    chosen = np.moveaxis(maps[..., order], -1, 1)
    low = chosen.min(axis=(0, 2, 3), keepdims=True)
    spread = np.maximum(chosen.max(axis=(0, 2, 3), keepdims=True) - low, 1e-12)
    cell = with_gap((max(images.shape[1], maps.shape[1]), max(images.shape[2], maps.shape[2])))
    columns = 1 + len(order)
    tiles = np.full((len(images), columns, *cell), np.nan, np.float32)
    tiles[:, 0, : images.shape[1], : images.shape[2]] = images
    tiles[:, 1:, : maps.shape[1], : maps.shape[2]] = (chosen - low) / spread
    large = mosaic(tiles.reshape(-1, *cell), columns, cell)

    note = f"test images, and the maps of {len(order)} of {maps.shape[3]:,} filters"
    dots = dots_per_pixel(large.shape, PICTURE)
    figure = sheet(TOP + dots / DPI * len(large), "Maps of the first layer", note)
    show(figure, large, dots, PAPER, (0, 1))
    return figure


def _columns(count: int, cell: tuple[int, int]) -> int:
    """Return how many tiles to put into a row: about as wide as high, few gaps at the end."""
    square = max(1, round(math.sqrt(count * cell[0] / cell[1])))
    return min(range(square, square + 3), key=lambda columns: -count % columns)


def _histogram(axes: Axes, name: str, matrix: Array) -> None:
    values = matrix[np.isfinite(matrix)]
    limit = float(np.abs(values).max(initial=0)) or 1.0
    counts, edges = np.histogram(values, BINS, (-limit, limit))
    axes.stairs(counts, edges, fill=True, color=BLUE)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_xlim(-1.02 * limit, 1.02 * limit)
    axes.set_ylim(0, 1.05 * max(int(counts.max()), 1))
    shape = " × ".join(f"{size:,}" for size in matrix.shape)
    style_axes(axes, f"{name}  ({shape})", _spread(values, matrix.size), "weights in a bin")
    axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    axes.xaxis.set_major_formatter(NUMBER)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=STEPS))
    axes.yaxis.set_major_formatter(THOUSANDS)


def _spread(values: Array, size: int) -> str:
    if values.size < size:
        return f"weight ({size - values.size:,} of {size:,} are not finite)"
    return f"weight (mean {values.mean():.2g}, std {values.std():.2g})".replace("-", "−")


def _scale(figure: Figure, picture: AxesImage) -> None:
    """Add the colour bar, and what its ends mean, to the right of the picture."""
    left, bottom, width, height = picture.axes.get_position().bounds
    length = min(height, 0.6)
    axes = figure.add_axes((left + width + 0.03, bottom + height - length, 0.016, length))
    bar = figure.colorbar(picture, cax=axes, extend="both", format=NUMBER)
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=9, labelcolor=MUTED, color=MUTED, length=3)
    axes.set_ylabel("weight", size=9.5, color=INK)
