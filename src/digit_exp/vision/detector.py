"""Tells digits from other shapes: letters, signs, drawings, digits upside down, two that touch.

A network of two convolutions and two dense layers, trained by `benchmarks/train_detector.py` on
digits of MNIST and on as many shapes that are none. It has a class for each digit, one for two
digits that touch, and one for all else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("detector.npz")
SIDE = 28
CONVOLUTIONS = 2
"""Layers of 3 × 3 pixels, each with a ReLU and a pooling of 2 × 2 pixels; dense ones follow."""
DIGITS, PAIR = 10, 11
"""Classes: the digits come first, then anything else, then two digits."""
OTHERS = 0.45
"""How frequent shapes that are no digits are among those that people show, for each such shape in
the training set. Chosen by the log loss of pictures of many kinds, and by digits upside down."""

Array = NDArray[np.float32]


def probabilities(images: NDArray[np.uint8]) -> Array:
    """Return the probability of each class, shape `(n, 12)`.

    Raises ValueError for images of another size than MNIST's.
    """
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"images must have {SIDE} × {SIDE} pixels, got {images.shape[1:]}")
    maps = images[..., None].astype(np.float32) / np.float32(255)
    layers = _layers()
    for weight, bias in layers[:CONVOLUTIONS]:
        maps = _convolved(maps, weight, bias)
    x = maps.reshape(len(maps), -1)
    for weight, bias in layers[CONVOLUTIONS:-1]:
        x = np.maximum(x @ weight + bias, 0)
    logits = x @ layers[-1][0] + layers[-1][1]
    logits[:, DIGITS:] += np.log(OTHERS)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


def _convolved(maps: Array, weight: Array, bias: Array) -> Array:
    count, height, width, channels = maps.shape
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(framed, (3, 3), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * channels)
    summed = (patches @ weight).reshape(count, height // 2, 2, width // 2, 2, -1)
    pooled: Array = np.maximum(summed.max(axis=(2, 4)) + bias, 0)
    return pooled


@cache
def _layers() -> list[tuple[Array, Array]]:
    """Read the weights: whole numbers from -127 to 127, with a scale for each unit."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        count = len(file.files) // 3
        return [
            (
                file[f"weight_{layer}"].astype(np.float32) * file[f"scale_{layer}"],
                file[f"bias_{layer}"],
            )
            for layer in range(count)
        ]
