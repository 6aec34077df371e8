"""Figures of data: classes, augmented images, and pictures beside what a network saw of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill, shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.plots.parts.canvas import (
    BLUE,
    DPI,
    HEADER,
    INK,
    LEFT,
    MUTED,
    RIGHT,
    SPLIT_COLORS,
    SPLIT_NAMES,
    STEPS,
    THOUSANDS,
    TOP,
    WIDTH,
    message,
    panels,
    percent,
    place,
    sheet,
    style_axes,
)
from digit_exp.plots.parts.mosaic import PAPER, brightest, dots_per_pixel, mosaic, show, with_gap
from digit_exp.plots.parts.values import write_classes

MOST_LABELS = 12
"""Bars that have their numbers written above them; the numbers of more would run together."""

MOST_NAMES = 30
"""Classes that are named below their bars."""

TALLEST = 6.0
"""Inches: how high the rows of augmented images may be together."""

Seen = tuple[str, Array | None, Pixels | None, str]
"""Name, grey levels in [0, 1], pixels of the network, and what was read."""

SIDE, COLUMN, ROW = 1.25, 4.1, 1.55
"""Inches: a picture's side, the width of picture, image and text, and the height of a row."""

MOST_PICTURES = 40


def class_distribution(counts: Mapping[str, Labels], names: Sequence[str]) -> Figure:
    """Draw how many images of each class every split has, and what share of the split that is."""
    if not counts:
        return message("Class distribution", "There is nothing to draw: no split was given.")
    note = "images of each class, and their share of the split"
    figure = sheet(HEADER + 2 * len(counts), "Class distribution", note)
    grid = panels(figure, len(counts), 1)
    for axes, (split, numbers) in zip(grid, counts.items(), strict=True):
        _bars(axes, split, numbers)
    grid[-1].set_xlabel("class")
    write_classes(grid[-1], "x", names, MOST_NAMES)
    return figure


def augmentation_examples(before: Array | Pixels, after: Array | Pixels) -> Figure:
    """Draw `before`, shape `(n, height, width)`, above its variants, `(k, n, height, width)`.

    Both in the same range: uint8 pixels, or pixels in [0, 1].
    """
    variants, count, height, width = after.shape
    images = np.concatenate([before[np.newaxis], after]).reshape(-1, height, width)
    cell = with_gap((height, width))
    large = mosaic(images, count, cell)
    dots = dots_per_pixel(large.shape, (TALLEST, WIDTH - LEFT - RIGHT))
    inch = dots / DPI
    note = "training images, and augmented variants of them"
    figure = sheet(TOP + inch * len(large), "Augmentation, before and after", note)
    axes = show(figure, large, dots, PAPER, (0, brightest(before))).axes
    for row in range(variants + 1):
        text, color = (f"variant {row}", MUTED) if row else ("original", INK)
        y = row * cell[0] + height / 2
        axes.text(-0.1 / inch, y, text, size=9.5, color=color, ha="right", va="center")
    axes.hlines((height + cell[0] - 1) / 2, -0.5, large.shape[1] - 0.5, color=MUTED, linewidth=1)
    return figure


def seen(readings: Sequence[Seen]) -> Figure:
    """Draw each picture, the image made of it and the reading; the first `MOST_PICTURES`."""
    some = readings[:MOST_PICTURES]
    rows = -(-len(some) // 2)
    height = HEADER + rows * ROW + 0.1
    note = f"{len(some)} of {len(readings)} pictures" if len(some) < len(readings) else ""
    figure = sheet(height, "Pictures, and the input of the network", note)
    for index, (name, levels, pixels, reading) in enumerate(some):
        left = LEFT - 0.35 + index % 2 * COLUMN
        bottom = height - HEADER - (index // 2 + 1) * ROW + (ROW - SIDE)
        if levels is not None:
            _picture(place(figure, left, bottom, SIDE, SIDE), levels, 1.0)
        if pixels is not None:
            _picture(place(figure, left + SIDE + 0.1, bottom, SIDE, SIDE), pixels, 255.0)
        x = (left + 2 * SIDE + 0.2) / figure.get_figwidth()
        y = (bottom + SIDE / 2) / height
        figure.text(x, y, fill(reading, 20), size=10, color=INK, va="bottom")
        short = shorten(Path(name).name, 22, placeholder="…")
        figure.text(x, y - 0.06 / height, short, size=8.5, color=MUTED, va="top")
    return figure


def _bars(axes: Axes, split: str, numbers: Labels) -> None:
    classes, total = len(numbers), int(numbers.sum())
    shares = numbers / max(total, 1)
    top = max(int(numbers.max()), 1)
    axes.bar(np.arange(classes), numbers, 0.72, color=SPLIT_COLORS.get(split, BLUE))
    axes.set_ylim(0, 1.42 * top if classes <= MOST_LABELS else 1.05 * top)
    axes.set_xlim(-0.6, classes - 0.4)
    title = f"{SPLIT_NAMES.get(split, split)}: {total:,} images"
    if classes <= MOST_LABELS:
        lift = 0.04 * top
        for number, (n, share) in enumerate(zip(numbers, shares, strict=True)):
            text = f"{n:,}\n{percent(share)}"
            axes.text(number, n + lift, text, size=8.5, color=INK, ha="center", va="bottom")
    else:
        title += f", {percent(shares.min())} to {percent(shares.max())} of them in each class"
    style_axes(axes, title, "", "images")
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))
    axes.yaxis.set_major_formatter(THOUSANDS)


def _picture(axes: Axes, image: Array | Pixels, white: float) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=white, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
