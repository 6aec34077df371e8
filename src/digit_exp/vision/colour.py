"""Makes a coloured picture grey so that ink and paper differ in it.

Usually they differ in brightness. Where they differ in hue alone, the grey levels are the first
principal component of the hues instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]
"""Brightness, shape `(height, width)`."""

THUMBNAIL = 128
"""Pixels of the longer side of the copy in which colours are compared."""
COARSE = 8
"""Pixels of the longer side of the copy that has the light, but not the ink."""
HUE_OVER_BRIGHTNESS = 2.0
"""Ratio of the standard deviations from which on the hue tells ink from paper."""


def grey(image: Image.Image) -> Grey:
    """Return the brightness of a picture, or its main difference in hue."""
    levels = scaled(image.convert("L"))
    if image.mode in ("L", "LA", "1"):
        return levels
    image = image.convert("RGB")
    axis = _hue_axis(image)
    if axis is None:
        return levels
    hue = (scaled(image) - levels[..., None]) @ axis
    low, high = np.percentile(hue, (0.5, 99.5))
    spread: Grey = np.clip((hue - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return spread


def scaled(image: Image.Image) -> NDArray[np.float32]:
    """Return the values of a picture in [0, 1]."""
    levels: NDArray[np.float32] = np.asarray(image, np.float32) / np.float32(255)
    return levels


def _hue_axis(image: Image.Image) -> NDArray[np.float32] | None:
    """Return the axis along which hues vary most, if they vary more than the brightness does.

    What varies slowly over the picture is taken off before: it is light.
    """
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    light = small.copy()
    light.thumbnail((COARSE, COARSE), Image.Resampling.BOX)
    colours = scaled(small) - scaled(light.resize(small.size, Image.Resampling.BILINEAR))
    brightness = colours @ np.array([0.299, 0.587, 0.114], np.float32)
    hues = (colours - brightness[..., None]).reshape(-1, 3)
    variances, axes = np.linalg.eigh(hues.T @ hues / len(hues))
    is_brighter = variances[-1] ** 0.5 < HUE_OVER_BRIGHTNESS * max(float(brightness.std()), 1 / 255)
    return None if is_brighter else axes[:, -1]
