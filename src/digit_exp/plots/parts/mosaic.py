"""Many small images as one large array, so that a grid of pictures costs one picture to draw."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from digit_exp.arrays import Array, Pixels
from digit_exp.plots.parts.canvas import DPI, HEADER, INK, LEFT, place

PAPER: Colormap = LinearSegmentedColormap.from_list("paper", ["#ECEEF1", INK]).with_extremes(
    bad="white"
)
"""Ink on grey cards, so that one sees where an image ends and what was pushed over its edge."""


def with_gap(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the cell for an image of `shape`: a little more, so that neighbours keep apart."""
    gap = max(1, min(shape) // 14)
    return shape[0] + gap, shape[1] + gap


def mosaic(images: Array | Pixels, columns: int, cell: tuple[int, int]) -> NDArray[np.float32]:
    """Lay out `images`, shape `(n, height, width)`, in cells of `cell` pixels, the rest NaN.

    Image `i` begins at row `i // columns * cell[0]` and column `i % columns * cell[1]`.
    """
    count, height, width = images.shape
    rows = -(-count // columns)
    large = np.full((rows * cell[0], columns * cell[1]), np.nan, np.float32)
    cells = large.reshape(rows, cell[0], columns, cell[1]).transpose(0, 2, 1, 3)
    row, column = np.divmod(np.arange(count), columns)
    cells[row, column, :height, :width] = images
    return large


def dots_per_pixel(pixels: tuple[int, int], inches: tuple[float, float]) -> float:
    """Return how large to draw `pixels` (height, width) in a space of `inches`.

    A whole number if it can be: pixels of 2.8 dots would come out 2 or 3 dots wide.
    """
    dots = DPI * min(inches[0] / pixels[0], inches[1] / pixels[1])
    return math.floor(dots) if dots >= 1 else dots


def show(
    figure: Figure,
    large: NDArray[np.float32],
    dots: float,
    colors: Colormap,
    limits: tuple[float, float],
) -> AxesImage:
    """Draw a mosaic under the title, `dots` dots to a pixel."""
    height, width = (dots / DPI * size for size in large.shape)
    axes = place(figure, LEFT, figure.get_size_inches()[1] - HEADER - height, width, height)
    picture = axes.imshow(
        large, cmap=colors, vmin=limits[0], vmax=limits[1], interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return picture


def brightest(images: Array | Pixels) -> float:
    """Return the value of full ink: 255 for stored pixels, 1 for scaled ones."""
    return 255.0 if images.dtype == np.uint8 else 1.0
