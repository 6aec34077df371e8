"""Pictures beside the input that the network got, to see why it predicted what it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill, shorten

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digit_exp.arrays import Array, Pixels
from digit_exp.plots.canvas import HEADER, INK, LEFT, MUTED, place, sheet

Seen = tuple[str, Array | None, Pixels | None, str]
"""Name, grey levels in [0, 1], pixels of the network, and what was read."""

SIDE, COLUMN, ROW = 1.25, 4.1, 1.55
"""Inches: a picture's side, the width of picture, image and text, and the height of a row."""

MOST = 40


def seen(readings: Sequence[Seen]) -> Figure:
    """Draw each picture, the image made of it and the reading; the first `MOST` of them."""
    some = readings[:MOST]
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


def _picture(axes: Axes, image: Array | Pixels, white: float) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=white, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
