"""Normalises a digit as MNIST does, for an image of any size.

The digit is scaled into a box of 20 × 20 pixels with its proportions kept. The box is placed in
28 × 28 pixels so that the digit's centre of mass is at the centre (LeCun, Bottou, Bengio and
Haffner 1998, section III.A).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .decode import Grey, decode, shrink
from .segmentation import MIN_HEIGHT, Box, Candidate, bounding_box, find_candidate
from .threshold import find_inks

Pixels = NDArray[np.uint8]

BOX = 20 / 28
"""The digit's longer side, as a share of the image's side."""
VIEW = 128
"""Pixels of the longer side of the copy in which the digit is looked for."""
SMALL = 24
"""Pixels of the digit's longer side in that copy below which its surroundings are looked at."""


def read(data: bytes, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return what `normalize` makes of an encoded picture.

    Raises PictureError if it cannot be decoded, NoDigit if there is no digit in it.
    """
    return normalize(decode(data), shape)


def normalize(levels: Grey, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return the digit of a picture as light on black, uint8 of `shape`; raise NoDigit."""
    digit = _find(levels)
    depth, mask = digit.ink.depth, digit.mask
    full = float(np.percentile(depth[mask], 75))
    # the pixels around the mask have the soft edge of the strokes
    with_edge = ndimage.maximum_filter(mask, 3)
    strength = np.where(with_edge, np.clip(depth / full, 0, 1), 0)
    return _centre(_fit(strength[bounding_box(strength > 0.5)], shape), shape)


def fill(levels: Grey, shape: tuple[int, int]) -> Pixels:
    """Scale a whole picture to `shape`, uint8; what has that size stays as it is."""
    height, width = shape
    image = Image.fromarray(np.ascontiguousarray(levels, np.float32))
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    pixels: Pixels = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return pixels


def _find(levels: Grey) -> Candidate:
    """Look for the digit in a small copy; if it is small there, look closer."""
    view = shrink(levels, VIEW)
    scale = max(levels.shape) / max(view.shape)
    found = find_candidate(find_inks(view), max(1, int(MIN_HEIGHT / scale)))
    if scale > 1 and max(found.mask[found.box].shape) < SMALL:
        closer = levels[_surroundings(found.box, scale)]
        found = find_candidate(find_inks(shrink(closer, VIEW)))
    found.require_digit()
    return found


def _surroundings(box: Box, scale: float) -> Box:
    """Return the box and as much again on each side, in a picture `scale` times as large."""
    margin = max(side.stop - side.start for side in box)
    rows, columns = (
        slice(max(0, int((side.start - margin) * scale)), int((side.stop + margin) * scale))
        for side in box
    )
    return rows, columns


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
