"""The decision over deformed copies of an image, as in APAC (Sato, Nishimura & Yokoi 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.parameters import Kind, Slot

MAPS = "copies.maps"
"""The buffer of a network that holds its deformations."""


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
