"""Deformations as maps of coordinates, taken from an augmentation."""

from __future__ import annotations

import numpy as np

from digit_exp.arrays import Array
from digit_exp.data.augmentations import Augmentation
from digit_exp.registry import ConfigError
from digit_exp.rng import Rng


def deformations(augmentation: Augmentation, shape: tuple[int, int], count: int, rng: Rng) -> Array:
    """Return `count` random deformations, shape `(count, 3, height, width)`.

    For each pixel of the copy: row and column of the image, and the weight of what lies inside it.
    An augmentation interpolates linearly, so what it makes of an image of rows is their map. Raises
    ConfigError if it moves no pixel, or adds something, as noise does.
    """
    height, width = shape
    rows, columns = np.indices(shape, np.float32)
    ones = np.ones(shape, np.float32)
    scale = max(height, width)  # an augmentation takes numbers in [0, 1]

    def of(image: Array) -> Array:
        copies = np.repeat(image[None].astype(np.float32), count, axis=0)
        return augmentation(copies, rng("copies"))

    weight, nothing = of(ones), of(0 * ones)
    down, right = of(rows / scale), of(columns / scale)
    inside = np.where(weight > 0, weight, 1) / scale
    maps = np.stack([down / inside, right / inside, weight], axis=1)
    if nothing.any() or np.allclose(maps, [rows, columns, ones], atol=1e-3):
        message = "needs an augmentation that only moves pixels, and some of them: affine, for one"
        raise ConfigError.at("model.copies", message)
    return maps
