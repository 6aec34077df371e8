"""A trained network as it is served: its layers for evaluation, without anything for training.

It is saved as plain arrays (`.npz`) without pickle; the entry `meta` is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Layer = Mapping[str, Any]
Weights = Mapping[str, Array]
"""The arrays of one layer, by local name."""

BATCH_SIZE = 1024
"""Images at once, so that memory does not grow with the request."""


def _dense(x: Array, layer: Layer, weights: Weights) -> Array:
    y: Array = x @ weights["weight"]
    return y + weights["bias"] if layer["bias"] else y


def _batch_norm(x: Array, layer: Layer, weights: Weights) -> Array:
    scale = weights["gamma"] / np.sqrt(weights["running_var"] + layer["eps"])
    normalized: Array = (x - weights["running_mean"]) * scale + weights["beta"]
    return normalized


def _elu(x: Array, layer: Layer, weights: Weights) -> Array:
    y: Array = np.where(x > 0, x, layer["alpha"] * np.expm1(np.minimum(x, 0)))
    return y


def _gelu(x: Array, layer: Layer, weights: Weights) -> Array:
    from scipy.special import ndtr  # slow to import, and seldom needed

    y: Array = x * ndtr(x)
    return y


LAYERS: dict[str, Callable[[Array, Layer, Weights], Array]] = {
    "standardize": lambda x, layer, _: (x - layer["mean"]) * (1 / layer["std"]),
    "dense": _dense,
    "batchnorm": _batch_norm,
    "dropout": lambda x, layer, _: x,
    "relu": lambda x, layer, _: np.maximum(x, 0),
    "leakyrelu": lambda x, layer, _: np.maximum(x, layer["alpha"] * x),
    "elu": _elu,
    "gelu": _gelu,
    "tanh": lambda x, layer, _: np.tanh(x),
    "sigmoid": lambda x, layer, _: 0.5 * (np.tanh(0.5 * x) + 1),
}


@dataclass(frozen=True)
class Classifier:
    """The layers of a network with their weights, for images of one shape."""

    layers: list[dict[str, Any]]
    """For each its kind, its hyperparameters and its name, the prefix of its arrays."""
    arrays: dict[str, Array]
    shape: tuple[int, int]
    """Height and width of an image, in pixels."""
    temperature: float = 1.0
    """Logits are divided by it, which calibrates the probabilities."""
    shifts: int = 0
    """Test-time augmentation: probabilities are averaged over an image and its four shifts by so
    many pixels; 0: off."""

    def __call__(self, images: NDArray[Any]) -> Array:
        """Return probabilities, shape `(n, classes)`, for uint8 pixels or pixels in [0, 1].

        Raises ValueError for images of another shape.
        """
        if images.shape[1:] != self.shape:
            height, width = self.shape
            raise ValueError(
                f"images must have the shape (n, {height}, {width}), got {images.shape}"
            )
        batches = (images[i : i + BATCH_SIZE] for i in range(0, len(images), BATCH_SIZE))
        parts = [self._probabilities(batch) for batch in batches]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _probabilities(self, images: NDArray[Any]) -> Array:
        pixels: Array = images.astype(np.float32)
        if images.dtype == np.uint8:
            pixels *= np.float32(1 / 255)
        logits = self._logits(pixels)
        if self.shifts:
            each = [logits, *(self._logits(moved) for moved in _shifted(pixels, self.shifts))]
            logs = [some - np.log(np.exp(some).sum(axis=1, keepdims=True)) for some in each]
            logits = np.logaddexp.reduce(logs, axis=0)
            logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits / np.float32(self.temperature))
        probabilities: Array = odds / odds.sum(axis=1, keepdims=True)
        return probabilities

    def _logits(self, pixels: Array) -> Array:
        """Return the logits, the largest of each row 0."""
        x = pixels.reshape(len(pixels), -1)
        for layer in self.layers:
            prefix = f"{layer['name']}."
            weights = {
                name.removeprefix(prefix): array
                for name, array in self.arrays.items()
                if name.startswith(prefix)
            }
            x = LAYERS[layer["kind"]](x, layer, weights)
        logits: Array = x - x.max(axis=1, keepdims=True)
        return logits

    def save(self, path: Path) -> Path:
        """Write to `path`."""
        meta = {
            "layers": self.layers,
            "shape": self.shape,
            "temperature": self.temperature,
            "shifts": self.shifts,
        }
        encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        with path.open("wb") as file:  # a name of any ending
            np.savez(file, allow_pickle=False, meta=encoded, **self.arrays)
        return path

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        height, width = meta["shape"]
        return cls(meta["layers"], arrays, (height, width), meta["temperature"], meta["shifts"])


def _shifted(images: Array, by: int) -> Iterator[Array]:
    """Yield the images shifted down, up, right and left, with black where they were."""
    height, width = images.shape[1:]
    wide = np.pad(images, [(0, 0), (by, by), (by, by)])
    for top, left in ((0, by), (2 * by, by), (by, 0), (by, 2 * by)):
        yield wide[:, top : top + height, left : left + width]
