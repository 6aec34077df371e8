"""Test-time augmentation: predictions are averaged over an image and four shifted copies.

A multilayer perceptron is not shift-invariant: a digit moved by one pixel is a different input.
Averaging the probabilities of several shifts reduces the errors that this causes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.registry import ConfigError, Problem

SHIFTS = 5
"""The image itself, and copies shifted down, up, right and left."""


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
            raise ConfigError(Problem("shifts", message))

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
        logits = logits - logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        together: Array = np.logaddexp.reduce(logits.reshape(SHIFTS, -1, logits.shape[1]), axis=0)
        together -= np.log(SHIFTS).astype(logits.dtype)
        return together
