"""A trained network as it is deployed: pixels in, calibrated probabilities out.

The file is a zip of plain arrays (`.npz`) without pickle; its entry `meta` is JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array
from digit_exp.nn.layers import Layer
from digit_exp.nn.losses import softmax
from digit_exp.nn.network import Network
from digit_exp.nn.prediction_averaging import DeformedCopies, ShiftAveraging


@dataclass(frozen=True)
class Classifier:
    """A network for images of one shape, and the temperature of its calibration."""

    network: Network
    shape: tuple[int, int]
    """Height and width of an image, in pixels."""
    temperature: float = 1.0
    """The logits are divided by it, which calibrates the probabilities."""
    reads: str = "characters"
    """What pictures are read for, as in `vision.reader`: digits, characters, whole."""

    def __call__(self, images: NDArray[Any]) -> Array:
        """Return probabilities, shape `(n, classes)`, for uint8 pixels or pixels in [0, 1].

        Raises ValueError for images of another shape.
        """
        if images.shape[1:] != self.shape:
            height, width = self.shape
            raise ValueError(
                f"images must have the shape (n, {height}, {width}), got {images.shape}"
            )
        return softmax(self.network.logits(images) / np.float32(self.temperature))

    def save(self, path: Path) -> Path:
        """Write to `path`."""
        network, averaging = self.network, self.network.shift_averaging
        named = zip(network.names, network.layers, strict=True)
        meta = {
            "layers": [{"name": name, **layer.spec()} for name, layer in named],
            "shape": self.shape,
            "temperature": self.temperature,
            "reads": self.reads,
            "shifts": averaging.pixels if averaging else 0,
            "copies": network.copies.count if network.copies else 0,
        }
        encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        with path.open("wb") as file:  # a name of any ending
            np.savez(file, allow_pickle=False, meta=encoded, **network.parameters.arrays())
        return path

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        height, width = meta["shape"]
        layers = [Layer.from_spec(entry) for entry in meta["layers"]]
        averaging = ShiftAveraging(height, width, meta["shifts"]) if meta["shifts"] else None
        count = meta.get("copies", 0)
        copies = DeformedCopies(count, height, width) if count else None
        network = Network(height * width, layers, shift_averaging=averaging, copies=copies)
        for name, array in arrays.items():
            network.parameters.value(name)[...] = array
        return cls(network, (height, width), meta["temperature"], meta.get("reads", "characters"))
