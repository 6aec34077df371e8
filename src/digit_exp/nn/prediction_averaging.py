"""Test-time augmentation: a prediction is the mean over an image and changed copies of it.

A multilayer perceptron is not shift-invariant: a digit moved by one pixel is a different input.
Averaging the probabilities of several shifts reduces the errors that this causes. The decision over
deformed copies is that of APAC (Sato, Nishimura & Yokoi 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.losses import log_softmax
from digit_exp.nn.parameters import Kind, Slot
from digit_exp.registry import ConfigError

SHIFTS = 5
"""The image itself, and copies shifted down, up, right and left."""

MAPS = "copies.maps"
"""The buffer of a network that holds its deformations."""


@dataclass(frozen=True)
class ShiftAveraging:
    """The mean over images of `height` × `width` and their copies shifted by `pixels` each way.

    p = Σₛ softmax(zₛ) / 5  with the logits zₛ of each shift. Pixels that leave the image are lost.
    Raises ConfigError if the shift is not smaller than the sides.
    """

    height: int
    width: int
    pixels: int

    def __post_init__(self) -> None:
        if not 1 <= self.pixels < min(self.height, self.width):
            sides = f"{self.height} × {self.width}"
            message = f"must be at least 1 and less than the sides, {sides}, got {self.pixels}"
            raise ConfigError.at("shifts", message)

    def shifted(self, x: Array) -> Array:
        """Return images `(n, inputs)` and then each of their four copies: `(5 n, inputs)`."""
        images = x.reshape(len(x), self.height, self.width)
        copies = np.zeros((SHIFTS, *images.shape), x.dtype)
        original, down, up, right, left = copies
        by = self.pixels
        original[...] = images
        down[:, by:], up[:, :-by] = images[:, :-by], images[:, by:]
        right[:, :, by:], left[:, :, :-by] = images[:, :, :-by], images[:, :, by:]
        return copies.reshape(-1, x.shape[1])

    def mean(self, logits: Array) -> Array:
        """Return the logits of the mean probabilities, `(n, classes)`, from those of `shifted`."""
        log_p = log_softmax(logits, logits.dtype).reshape(SHIFTS, -1, logits.shape[1])
        together: Array = np.logaddexp.reduce(log_p, axis=0)
        together -= np.log(SHIFTS).astype(logits.dtype)
        return together


@dataclass(frozen=True)
class DeformedCopies:
    """The mean of log p over an image and `count` deformations of it, the same for every image.

    A deformation is a map: for each pixel of the copy the row and the column where the image is
    looked up, and a weight, below 1 where that is outside.
    """

    count: int
    height: int
    width: int

    @property
    def slots(self) -> dict[str, Slot]:
        """The buffer for the maps."""
        return {MAPS: Slot((self.count, 3, self.height, self.width), Kind.buffer)}


def deformed(x: Array, deformation: Array) -> Array:
    """Return copies of flat images x `(n, height · width)`, by bilinear interpolation."""
    height, width = deformation.shape[1:]
    row, column, weight = deformation.reshape(3, -1).astype(x.dtype)
    top = np.clip(np.floor(row), 0, height - 1).astype(np.intp)
    left = np.clip(np.floor(column), 0, width - 1).astype(np.intp)
    below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = row - top, column - left
    upper = (1 - across) * x[:, top * width + left] + across * x[:, top * width + right]
    lower = (1 - across) * x[:, below * width + left] + across * x[:, below * width + right]
    copies: Array = weight * ((1 - down) * upper + down * lower)
    return copies
