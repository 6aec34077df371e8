"""The images that one network reads right and another one does not."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.plots.canvas import DPI, HEADER, INK, LEFT, MUTED, WIDTH, message, sheet
from digit_exp.plots.mosaic import PAPER, brightest, mosaic, show

COLUMNS = 10
MOST = 20
"""Images of each kind that are drawn."""

DOTS = 3
"""Dots to a pixel: an image of 28 pixels is 0.7 inches wide."""

GAP, LINE = 0.09, 0.2
"""Inches between images, and for what is written below one."""

HEAD = 0.42
"""Inches for the heading of a block."""


@dataclass(frozen=True)
class Block:
    """Images that only one of the two reads right, `true` `(n,)` and what the other one reads."""

    heading: str
    images: Array | Pixels
    true: Labels
    misread: Labels


def disagreements(first: Block, second: Block) -> Figure:
    """Draw both kinds, one block each, the first images of each."""
    title = "Digits that only one of them reads"
    blocks = [block for block in (first, second) if len(block.true)]
    if not blocks:
        return message(title, "There are none: both read the same images right.")
    image = blocks[0].images.shape[1:]
    dots = min(DOTS, (WIDTH - LEFT) * DPI / COLUMNS / image[1] - GAP)
    per_inch = DPI / dots
    cell = (image[0] + round(LINE * per_inch), image[1] + round(GAP * per_inch))
    heights = [HEAD + -(-min(len(b.true), MOST) // COLUMNS) * cell[0] / per_inch for b in blocks]
    figure = sheet(
        HEADER + sum(heights) - HEAD + 0.3, title, "true class, and what the other one reads"
    )
    top = 0.0
    for block, height in zip(blocks, heights, strict=True):
        _draw(figure, block, cell, dots, top)
        top += height
    return figure


def _draw(figure: Figure, block: Block, cell: tuple[int, int], dots: float, top: float) -> None:
    """Draw a block whose images begin `top` inches, and its heading, below the header."""
    per_inch = DPI / dots
    shown = block.images[:MOST]
    picture = show(figure, mosaic(shown, COLUMNS, cell), dots, PAPER, (0, brightest(shown)))
    axes = picture.axes
    height = figure.get_figheight()
    place = axes.get_position()
    axes.set_position((place.x0, place.y0 - (top + 0.2) / height, place.width, place.height))
    heading = f"{block.heading}: {len(block.true):,}"
    if len(block.true) > MOST:
        heading += f", here the {MOST} clearest"
    axes.text(0, -0.08 * per_inch, heading, size=10, color=INK, va="bottom")
    width = shown.shape[2]
    for position, (true, read) in enumerate(zip(block.true[:MOST], block.misread, strict=False)):
        row, column = divmod(position, COLUMNS)
        x = column * cell[1] + width / 2
        y = row * cell[0] + shown.shape[1] + 0.02 * per_inch
        axes.text(x, y, f"{true}, not {read}", size=7.5, color=MUTED, ha="center", va="top")
