"""The normalisation of MNIST, as its authors describe it, for an image of any size.

A digit is brought into a box of 20 × 20 pixels with its proportions kept, which by anti-aliasing
makes grey levels of black and white, and the box is laid into 28 × 28 pixels so that the digit's
centre of mass is at the centre (LeCun, Bottou, Bengio and Haffner 1998, section III.A).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .background import grown, inks
from .decode import Grey, grey, reduced
from .segmentation import LEAST_HEIGHT, Choice, find_shape

Pixels = NDArray[np.uint8]

BOX = 20 / 28
"""The digit's longer side in sides of the image."""

VIEW = 128
"""Pixels of the longer side of what is looked at."""
NEAR = 24
"""Pixels of a digit's longer side below which it is looked at from nearer."""


def normalize(levels: Grey, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return the digit of a picture as light on black, uint8 of `shape`; raise NoDigit."""
    choice = _found(levels)
    depth, mask = choice.ink.depth, choice.mask
    full = float(np.percentile(depth[mask], 75))
    # the pixels around the mask hold the soft edge of the strokes
    strength = np.where(grown(mask), np.clip(depth / full, 0, 1), 0)
    return _centred(_fitted(_cropped(strength), shape), shape)


def _found(levels: Grey) -> Choice:
    """Look for the digit in a small copy; if it is small there, look again, at its surroundings."""
    view = reduced(levels, VIEW)
    scale = max(levels.shape) / max(view.shape)
    choice = find_shape(inks(view), max(1, int(LEAST_HEIGHT / scale)))
    if scale > 1 and max(choice.box.height, choice.box.width) < NEAR:
        choice = find_shape(inks(reduced(levels[choice.box.surroundings(scale)], VIEW)))
    choice.require_digit()
    return choice


def _cropped(strength: Grey) -> Grey:
    is_ink = strength > 0.5
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    return strength[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fitted(strength: Grey, shape: tuple[int, int]) -> Grey:
    """Bring to the size of the box, keeping the proportions, and to full strength."""
    side = BOX * min(shape)
    scale = side / max(strength.shape)
    height, width = (max(1, round(n * scale)) for n in strength.shape)
    image = Image.fromarray(np.ascontiguousarray(strength, np.float32))
    fitted = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    full: Grey = np.clip(fitted / max(float(fitted.max()), 1e-6), 0, 1)
    return full


def _centred(strength: Grey, shape: tuple[int, int]) -> Pixels:
    """Put the centre of mass at the centre of the image."""
    pixels = np.zeros(shape, np.uint8)
    mass = float(strength.sum())
    corner = []
    for axis, (size, length) in enumerate(zip(shape, strength.shape, strict=True)):
        along = strength.sum(axis=1 - axis)
        centre = float(along @ (np.arange(length) + 0.5)) / mass
        corner.append(min(max(round(size / 2 - centre), 0), size - length))
    top, left = corner
    height, width = strength.shape
    pixels[top : top + height, left : left + width] = np.rint(strength * 255)
    return pixels


def read(data: bytes, shape: tuple[int, int] = (28, 28)) -> Pixels:
    """Return what `normalize` makes of an encoded picture.

    Raises PictureError if it cannot be opened, NoDigit if there is no digit in it.
    """
    return normalize(grey(data), shape)
