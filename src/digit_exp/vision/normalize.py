"""Normalises the digits of a picture as MNIST does, for images of any size.

A digit is scaled into a box of 20 × 20 pixels with its proportions kept. The box is placed in
28 × 28 pixels so that the digit's centre of mass is at the centre (LeCun, Bottou, Bengio and
Haffner 1998, section III.A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .decode import Grey, decode, shrink
from .segmentation import (
    MIN_HEIGHT,
    Box,
    Candidate,
    NoDigit,
    bounding_box,
    find_candidate,
    require_strokes,
)
from .sheet import lay_out
from .strokes import widened
from .threshold import Mask, find_inks

Pixels = NDArray[np.uint8]

BOX = 20 / 28
"""The digit's longer side, as a share of the image's side."""
VIEW = 128
"""Pixels of the longer side of the copy in which digits are looked for."""
CLOSER = 3
"""Times as large is the copy that is tried if nothing is found in the first, and the largest copy
of a row of digits."""
LINES = 5
"""Pixels of the filter that removes thin lines and noise if nothing is found otherwise."""
SMALL = 24
"""Pixels of the largest digit's longer side in that copy below which its surroundings are looked
at."""


@dataclass(frozen=True)
class Glyph:
    """What may be a digit: the strength of its ink, and its place."""

    strength: Grey
    """In [0, 1], cut to its box."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom, as shares of the picture's width and height."""
    problem: str = ""
    """Why it cannot be a digit, if it cannot."""

    def pixels(self, shape: tuple[int, int]) -> Pixels:
        """Return it light on black, as a network reads it."""
        return _centre(_fit(self.strength, shape), shape)

    def turned(self, degrees: float) -> Glyph:
        """Return it turned counterclockwise."""
        turned = ndimage.rotate(self.strength, degrees, order=1)
        return Glyph(turned[bounding_box(turned > 0.5 * turned.max())], self.box)

    def part(self, start: int, stop: int) -> Glyph:
        """Return the columns from `start` to `stop`, cut to their ink."""
        some = self.strength[:, start:stop]
        rows, columns = bounding_box(some > 0.5 * some.max())
        left, top, right, bottom = self.box
        height, width = self.strength.shape
        across, down = (right - left) / width, (bottom - top) / height
        box = (
            left + (start + columns.start) * across,
            top + rows.start * down,
            left + (start + columns.stop) * across,
            top + rows.stop * down,
        )
        return Glyph(some[rows, columns], box)


def read(data: bytes, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return what `normalize` makes of an encoded picture.

    Raises PictureError if it cannot be decoded, NoDigit if there is no digit in it.
    """
    return normalize(decode(data), shape)


def normalize(levels: Grey, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return the digit of a picture as light on black, uint8 of `shape`; raise NoDigit."""
    found = glyphs(levels)
    if len(found) > 1:
        raise NoDigit(f"{len(found)} separate shapes; give each a picture of its own")
    if found[0].problem:
        raise NoDigit(found[0].problem)
    return found[0].pixels(shape)


def fill(levels: Grey, shape: tuple[int, int]) -> Pixels:
    """Scale a whole picture to `shape`, uint8; what has that size stays as it is."""
    height, width = shape
    image = Image.fromarray(np.ascontiguousarray(levels, np.float32))
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    pixels: Pixels = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return pixels


def glyphs(levels: Grey, joined: bool = False) -> list[Glyph]:
    """Return what may be digits, in reading order; raise NoDigit if there is nothing.

    Joined, all of them are one: the parts of a digit that a pen or the light broke.
    """
    laid, (down, across) = lay_out(levels)
    try:
        found, scale, (top, left) = _find(laid)
    except NoDigit:
        if laid is levels:
            raise
        found, scale, (top, left) = _find(levels)
        down, across = 0, 0
    found.require_digits()
    masks = [found.mask] if joined else [found.mask_of(group) for group in found.groups]
    places = [bounding_box(mask) for mask in masks]
    height, width = levels.shape
    result = []
    for index in _reading_order(places):
        mask, (rows, columns) = masks[index], places[index]
        box = (
            (columns.start * scale + left + across) / width,
            (rows.start * scale + top + down) / height,
            (columns.stop * scale + left + across) / width,
            (rows.stop * scale + top + down) / height,
        )
        strength = widened(_strength(found.ink.depth, mask))
        result.append(Glyph(strength, box, _problem(mask[rows, columns])))
    return result


def _find(levels: Grey) -> tuple[Candidate, float, tuple[float, float]]:
    """Look for digits in a small copy; if they are small there, look closer.

    Returns them with the scale of the copy and its place from top and left. If nothing is found, a
    larger copy is tried, and one without thin lines.
    """
    view = shrink(levels, VIEW)
    scale = max(levels.shape) / max(view.shape)
    try:
        found = find_candidate(find_inks(view), max(1, int(MIN_HEIGHT / scale)))
    except NoDigit:
        view = shrink(levels, VIEW * CLOSER)
        scale = max(levels.shape) / max(view.shape)
        found = _find_again(view)
    longest = max(max(_sides(found.mask_of(group))) for group in found.groups)
    if scale == 1 or longest >= SMALL:
        return found, scale, (0, 0)
    rows, columns = _surroundings(found.box, longest, scale)
    closer = levels[rows, columns]
    row = max(_sides(found.mask)) / longest
    view = shrink(closer, int(VIEW * min(max(1, row / 2), CLOSER)))
    found = find_candidate(find_inks(view))
    return found, max(closer.shape) / max(view.shape), (rows.start, columns.start)


def _find_again(view: Grey) -> Candidate:
    try:
        return find_candidate(find_inks(view))
    except NoDigit as refusal:
        try:
            smooth = ndimage.median_filter(view, LINES)
            return find_candidate(find_inks(smooth))
        except NoDigit:
            raise refusal from None


def _sides(mask: Mask) -> tuple[int, int]:
    rows, columns = bounding_box(mask)
    return rows.stop - rows.start, columns.stop - columns.start


def _surroundings(box: Box, margin: int, scale: float) -> Box:
    """Return the box with a margin on each side, in a picture `scale` times as large."""
    rows, columns = (
        slice(max(0, int((side.start - margin) * scale)), int((side.stop + margin) * scale))
        for side in box
    )
    return rows, columns


def _reading_order(places: Sequence[Box]) -> list[int]:
    """Return the order from left to right in lines, and of the lines from top to bottom."""
    lines: list[list[int]] = []
    for index in sorted(range(len(places)), key=lambda index: _middle(places[index][0])):
        if lines and _are_level(places[index][0], places[lines[-1][0]][0]):
            lines[-1].append(index)
        else:
            lines.append([index])
    return [i for line in lines for i in sorted(line, key=lambda i: _middle(places[i][1]))]


def _are_level(one: slice, other: slice) -> bool:
    return bool(one.start <= _middle(other) < one.stop or other.start <= _middle(one) < other.stop)


def _middle(side: slice) -> float:
    return float(side.start + side.stop) / 2


def _problem(mask: Mask) -> str:
    try:
        require_strokes(mask)
    except NoDigit as refusal:
        return str(refusal)
    return ""


def _strength(depth: Grey, mask: Mask) -> Grey:
    """Return the ink of a digit, cut to its box, with the soft edge of its strokes."""
    full = float(np.percentile(depth[mask], 75))
    with_edge = ndimage.maximum_filter(mask, 3)
    strength = np.where(with_edge, np.clip(depth / full, 0, 1), 0)
    cut: Grey = strength[bounding_box(strength > 0.5)].astype(np.float32)
    return cut


def _fit(strength: Grey, shape: tuple[int, int]) -> Grey:
    """Scale to the size of the box, with the proportions kept, and to full strength."""
    scale = BOX * min(shape) / max(strength.shape)
    height, width = (max(1, round(n * scale)) for n in strength.shape)
    image = Image.fromarray(np.ascontiguousarray(strength, np.float32))
    fitted = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    full: Grey = np.clip(fitted / max(float(fitted.max()), 1e-6), 0, 1)
    return full


def _centre(strength: Grey, shape: tuple[int, int]) -> Pixels:
    """Place the centre of mass at the centre of the image."""
    mass = ndimage.center_of_mass(strength)
    top, left = (
        min(max(round((size - 1) / 2 - centre), 0), size - length)
        for size, centre, length in zip(shape, mass, strength.shape, strict=True)
    )
    height, width = strength.shape
    pixels = np.zeros(shape, np.uint8)
    pixels[top : top + height, left : left + width] = np.rint(strength * 255)
    return pixels
