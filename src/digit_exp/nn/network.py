"""A stack of layers over one vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.nn import activations, committee, convolution  # noqa: F401 - a spec names layers
from digit_exp.nn.layers import Layer, Shape, numbered, widest
from digit_exp.nn.losses import log_softmax, softmax
from digit_exp.nn.parameters import Kind, Parameters
from digit_exp.nn.prediction_averaging import MAPS, SHIFTS, DeformedCopies, ShiftAveraging, deformed
from digit_exp.registry import ConfigError

PREDICTION_BATCH = 1024
"""The most rows that go through the network at once outside training."""

PREDICTION_NUMBERS = 2**22
"""The most numbers in what one layer returns outside training: 16 MB."""

SHIFT_AVERAGING = "views"
"""The key of `ShiftAveraging` in a spec, as checkpoints have it since their first version."""

COPIES = "copies"
"""The key of `DeformedCopies` in a spec."""


class Network:
    """A feed-forward classifier. Its output is logits; `predict_proba` gives probabilities.

    Made by `NetworkBuilder`, by a registered model, or by `from_spec`.
    """

    def __init__(
        self,
        inputs: int,
        layers: Sequence[Layer],
        dtype: DTypeLike = np.float32,
        shift_averaging: ShiftAveraging | None = None,
        copies: DeformedCopies | None = None,
    ) -> None:
        self.inputs = inputs
        self.shift_averaging = shift_averaging
        self.copies = copies
        self.layers = list(layers)
        self.names = numbered(self.layers)
        named = dict(zip(self.names, self.layers, strict=True))
        slots = {
            f"{k}.{slot}": s for k, layer in named.items() for slot, s in layer.slots().items()
        }
        self.parameters = Parameters(slots | (copies.slots if copies else {}), dtype)
        for name, layer in named.items():
            layer.bind(name, self.parameters)
        trained = [i for i, layer in enumerate(self.layers) if layer.slots()]
        if not trained:
            raise ConfigError.at("", "a network needs at least one dense layer")
        self._first_trained = trained[0]
        self.in_blocks = any(layer.in_blocks for layer in self.layers)
        """Whether threads share blocks of images, and not the products of matrices."""
        self.multiply_adds = sum(layer.multiply_adds for layer in self.layers)
        """How many products the forward pass of a sample adds up."""

    @property
    def prediction_batch(self) -> int:
        """How many rows go through the network at once outside training.

        The memory that this takes does not grow with the set.
        """
        copies = SHIFTS if self.shift_averaging else 1
        numbers = copies * widest(self.layers, (self.inputs,))
        return max(1, min(PREDICTION_BATCH, PREDICTION_NUMBERS // numbers))

    @property
    def shapes(self) -> list[Shape]:
        """The shape of a sample after each layer."""
        shapes: list[Shape] = [(self.inputs,)]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes[1:]

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return math.prod(self.shapes[-1])

    @property
    def size(self) -> int:
        """How many parameters are trained."""
        return len(self.parameters)

    @property
    def storage(self) -> Array:
        """All parameters and buffers, one vector; whoever writes to it changes the network."""
        return self.parameters.storage

    def restore(self, storage: NDArray[Any]) -> None:
        """Take all parameters and buffers from a vector."""
        self.parameters.storage[:] = storage

    def numbers(self) -> Array:
        """Return all numbers of the state as one vector, to compare two of them."""
        return self.parameters.storage

    def initialize(self, rng: np.random.Generator) -> None:
        """Give every parameter a fresh value."""
        for layer in self.layers:
            layer.initialize(rng)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Return logits, shape `(batch, classes)`, for pixels in [0, 1] of any image shape.

        With a generator the pass belongs to training (dropout, batch statistics), without one to
        evaluation, which averages over shifts and copies of the images if the network does that.
        The result is valid until the next pass.
        """
        x = x.reshape(len(x), -1)
        if rng is not None:
            return self._through_layers(x, rng)
        if self.copies is None:
            return self._averaged_over_shifts(x)
        total = log_softmax(self._averaged_over_shifts(x))
        for deformation in self.parameters.value(MAPS):
            total += log_softmax(self._averaged_over_shifts(deformed(x, deformation)))
        mean: Array = (total / (1 + self.copies.count)).astype(x.dtype)
        return mean

    def _averaged_over_shifts(self, x: Array) -> Array:
        if self.shift_averaging is None:
            return self._through_layers(x, None)
        shifted = self.shift_averaging.shifted(x)
        return self.shift_averaging.mean(self._through_layers(shifted, None))

    def _through_layers(self, x: Array, rng: np.random.Generator | None) -> Array:
        for layer in self.layers:
            x = layer.forward(x, rng)
        return x

    def backward(self, dlogits: Array) -> None:
        """Write the gradient of the latest forward pass, of training, into `parameters.grads`.

        `dlogits` is ∂loss/∂logits, shape `(batch, classes)`; it may be overwritten.
        """
        dy = dlogits
        for layer in reversed(self.layers[self._first_trained + 1 :]):
            dy = layer.backward(dy)
        self.layers[self._first_trained].parameter_gradients(dy)

    def predict_proba(self, images: Pixels | Array) -> Array:
        """Return probabilities, shape `(n, classes)`, for the images that `logits` takes."""
        return softmax(self.logits(images))

    def logits(self, images: Pixels | Array) -> Array:
        """Return logits, shape `(n, classes)`, for uint8 images or pixels in [0, 1].

        Raises ValueError if an image has not as many pixels as the network has inputs, or if
        the pixels are whole numbers but not uint8, so that their range is unknown.
        """
        pixels = int(np.prod(images.shape[1:]))
        if pixels != self.inputs:
            raise ValueError(
                f"the network reads images of {self.inputs} pixels, got shape"
                f" {images.shape[1:]} with {pixels}"
            )
        if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
            raise ValueError(f"images must be uint8, or floats in [0, 1], got {images.dtype}")
        dtype = self.parameters.values.dtype
        logits = np.empty((len(images), self.classes), dtype)
        for start in range(0, len(images), self.prediction_batch):
            batch = images[start : start + self.prediction_batch]
            x = batch.astype(dtype)
            if batch.dtype == np.uint8:
                x *= 1 / 255
            logits[start : start + len(batch)] = self.forward(x)
        return logits

    def predict(self, images: Pixels | Array) -> Labels:
        """Return the most probable class of each image, shape `(n,)`."""
        classes: Labels = self.predict_proba(images).argmax(axis=1)
        return classes

    def summary(self) -> str:
        """Return a table of the layers with their output shapes and parameter counts."""
        rows = [("layer", "kind", "output", "parameters"), ("input", "", f"({self.inputs})", "0")]
        for name, layer, shape in zip(self.names, self.layers, self.shapes, strict=True):
            trained = [slot for slot in layer.slots().values() if slot.kind is not Kind.buffer]
            count = sum(math.prod(slot.shape) for slot in trained)
            size = " × ".join(map(str, shape))
            rows.append((name, type(layer).__name__, f"({size})", f"{count:,}"))
        rows.append(("total", "", "", f"{len(self.parameters):,}"))
        wide = [max(least, *(len(row[i]) for row in rows)) for i, least in enumerate((14, 12, 8))]
        lines = [f"{a:<{wide[0]}} {b:<{wide[1]}} {c:>{wide[2]}} {d:>12}" for a, b, c, d in rows]
        rule = "─" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def spec(self) -> dict[str, Any]:
        """Return the architecture as plain values, without the parameters."""
        spec = {"inputs": self.inputs, "layers": [layer.spec() for layer in self.layers]}
        averaging = {SHIFT_AVERAGING: self.shift_averaging, COPIES: self.copies}
        return spec | {key: asdict(kind) for key, kind in averaging.items() if kind is not None}

    def with_copies(self, maps: Array) -> Network:
        """Return a network of the same values that decides over copies: see `DeformedCopies`."""
        count, _, height, width = maps.shape
        spec = {**self.spec(), COPIES: {"count": count, "height": height, "width": width}}
        network = Network.from_spec(spec, self.parameters.values.dtype)
        for name, values in {**self.parameters.arrays(), MAPS: maps}.items():
            network.parameters.value(name)[...] = values
        return network

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], dtype: DTypeLike = np.float32) -> Self:
        """Build the network that `spec` describes, with all parameters zero."""
        layers = [Layer.from_spec(entry) for entry in spec["layers"]]
        shifts = ShiftAveraging(**spec[SHIFT_AVERAGING]) if SHIFT_AVERAGING in spec else None
        copies = DeformedCopies(**spec[COPIES]) if COPIES in spec else None
        return cls(spec["inputs"], layers, dtype, shifts, copies)
