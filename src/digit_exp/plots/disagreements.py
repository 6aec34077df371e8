"""Images that one network classifies correctly and another one does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from digit_exp.arrays import Array, Pixels
from digit_exp.plots.parts.canvas import DPI, HEADER, INK, LEFT, MUTED, WIDTH, message, sheet
from digit_exp.plots.parts.mosaic import PAPER, brightest, mosaic, show
from digit_exp.plots.parts.values import CLASS_LETTERS, shortened

COLUMNS = 10
MOST = 20
"""Images of each kind that are drawn."""

DOTS = 3
"""Dots to a pixel: an image of 28 pixels is 0.7 inches wide."""

GAP, LINE = 0.09, 0.2
"""Inches between images, and for a line below one."""

SHORT = 6
"""Letters of two class names that fit into one line below an image."""

HEAD = 0.42
"""Inches for the heading of a block."""


@dataclass(frozen=True)
class Block:
    """Images that only one of two networks classifies correctly."""

    heading: str
    images: Array | Pixels
    true: Sequence[str]
    """The name of the class of each image."""
    predicted: Sequence[str]
    """The name of the class that the other network predicts."""


def disagreements(first: Block, second: Block) -> Figure:
    """Draw both kinds, one block each, the first images of each."""
    title = "Images that only one of two networks classifies correctly"
    blocks = [block for block in (first, second) if len(block.true)]
    if not blocks:
        return message(title, "There are none: both are correct on the same images.")
    image = blocks[0].images.shape[1:]
    dots = min(DOTS, (WIDTH - LEFT) * DPI / COLUMNS / image[1] - GAP)
    per_inch = DPI / dots
    lines = 1 if all(_are_short(block) for block in blocks) else 2
    cell = (image[0] + round(LINE * lines * per_inch), image[1] + round(GAP * per_inch))
    heights = [HEAD + -(-min(len(b.true), MOST) // COLUMNS) * cell[0] / per_inch for b in blocks]
    figure = sheet(
        HEADER + sum(heights) - HEAD + 0.3, title, "true class, and what the other one predicts"
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
    known = sorted({*block.true, *block.predicted})
    short = dict(zip(known, shortened(known, CLASS_LETTERS), strict=True))
    classes = [
        (short[true], short[predicted])
        for true, predicted in zip(block.true, block.predicted, strict=True)
    ]
    are_short = _are_short(block)
    for position, (true, predicted) in enumerate(classes[:MOST]):
        row, column = divmod(position, COLUMNS)
        x = column * cell[1] + width / 2
        y = row * cell[0] + shown.shape[1] + 0.02 * per_inch
        words = f"{true}, not {predicted}" if are_short else f"{true},\nnot {predicted}"
        size = 7.5 if are_short else 6.5
        axes.text(x, y, words, size=size, color=MUTED, ha="center", va="top")


def _are_short(block: Block) -> bool:
    pairs = zip(block.true, block.predicted, strict=True)
    return all(len(true) + len(predicted) <= SHORT for true, predicted in pairs)
