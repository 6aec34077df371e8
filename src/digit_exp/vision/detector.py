"""Tells digits from other shapes: letters, signs, drawings, digits that are upside down.

A network of two hidden layers, trained by `benchmarks/train_detector.py` on digits of MNIST and on
shapes that are none, in equal parts. It has a class for each digit and one for all else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("detector.npz")
SIDE = 28
OTHERS = 0.5
"""Share of shapes that are no digits among those that people show, as in the training set."""

Array = NDArray[np.float32]


def probabilities(images: NDArray[np.uint8]) -> Array:
    """Return the probability of each digit and of anything else, shape `(n, 11)`.

    Raises ValueError for images of another size than MNIST's.
    """
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"images must have {SIDE} × {SIDE} pixels, got {images.shape[1:]}")
    x = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    layers = _layers()
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    logits = x @ layers[-1][0] + layers[-1][1]
    logits[:, -1] += np.log(OTHERS / (1 - OTHERS))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


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
