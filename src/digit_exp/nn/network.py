"""A stack of layers over one vector of parameters, and the builder that puts it together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.initializers import Init
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Layer, Standardize
from digit_exp.nn.losses import softmax
from digit_exp.nn.parameters import Kind, Parameters
from digit_exp.nn.shift_averaging import ShiftAveraging
from digit_exp.registry import ConfigError, Problem, Range, did_you_mean
from digit_exp.rng import Rng

PREDICTION_BATCH = 1024
"""Rows that go through the network at once outside training: memory does not grow with the set."""

SHIFT_AVERAGING = "views"
"""The key of `ShiftAveraging` in a spec, as checkpoints have it since their first version."""


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
    ) -> None:
        self.inputs = inputs
        self.shift_averaging = shift_averaging
        self.layers = list(layers)
        self.names = _numbered(self.layers)
        named = list(zip(self.names, self.layers, strict=True))
        slots = {f"{name}.{slot}": s for name, layer in named for slot, s in layer.slots().items()}
        self.parameters = Parameters(slots, dtype)
        for name, layer in named:
            layer.bind(name, self.parameters)
        trained = [i for i, layer in enumerate(self.layers) if layer.slots()]
        if not trained:
            raise ConfigError(Problem("", "a network needs at least one dense layer"))
        self._first_trained = trained[0]

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return next(layer.units for layer in reversed(self.layers) if isinstance(layer, Dense))

    def initialize(self, rng: np.random.Generator) -> None:
        """Give every parameter a fresh value."""
        for layer in self.layers:
            layer.initialize(rng)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Return logits, shape `(batch, classes)`, for pixels in [0, 1] of any image shape.

        With a generator the pass belongs to training (dropout, batch statistics), without one to
        evaluation, which averages over shifts of the images if the network does that. The result
        is valid until the next pass.
        """
        x = x.reshape(len(x), -1)
        if rng is None and self.shift_averaging is not None:
            shifted = self.shift_averaging.shifted(x)
            return self.shift_averaging.mean(self._through_layers(shifted, rng))
        return self._through_layers(x, rng)

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
        for start in range(0, len(images), PREDICTION_BATCH):
            batch = images[start : start + PREDICTION_BATCH]
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
        width = self.inputs
        rows = [("layer", "kind", "output", "parameters"), ("input", "", f"({width})", "0")]
        for name, layer in zip(self.names, self.layers, strict=True):
            width = layer.output_size(width)
            trained = sum(
                self.parameters.grad(f"{name}.{slot}").size
                for slot, place in layer.slots().items()
                if place.kind is not Kind.buffer
            )
            rows.append((name, type(layer).__name__, f"({width})", f"{trained:,}"))
        lines = [f"{a:<14} {b:<12} {c:>8} {d:>12}" for a, b, c, d in rows]
        total = f"{'total':<14} {'':<12} {'':>8} {len(self.parameters):>12,}"
        rule = "─" * len(total)
        return "\n".join([lines[0], rule, *lines[1:], rule, total])

    def spec(self) -> dict[str, Any]:
        """Return the architecture as plain values, without the parameters."""
        return _spec(self.inputs, self.layers, self.shift_averaging)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], dtype: DTypeLike = np.float32) -> Self:
        """Build the network that `spec` describes, with all parameters zero."""
        layers = [Layer.from_spec(entry) for entry in spec["layers"]]
        shifts = ShiftAveraging(**spec[SHIFT_AVERAGING]) if SHIFT_AVERAGING in spec else None
        return cls(spec["inputs"], layers, dtype, shifts)


class NetworkBuilder:
    """Put a network together layer by layer.

    >>> network = NetworkBuilder().input(784).dense(128, activation="relu").dense(10).build()
    >>> len(network.parameters)
    101770
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._width = 0
        self._shift_averaging: ShiftAveraging | None = None
        self._layers: list[Layer] = []
        self._is_complete = False

    def input(self, size: int, *width: int) -> Self:
        """Say how many pixels an image has, or its height and width."""
        self._shape = (size, *width)
        for side in self._shape:
            _require("size", side, Range(ge=1))
        self._width = math.prod(self._shape)
        return self

    def shift_averaging(self, pixels: int) -> Self:
        """Average predictions over an image and four copies shifted by `pixels`; 0: do not."""
        if not pixels:
            self._shift_averaging = None
        elif len(self._shape) == 2:
            self._shift_averaging = ShiftAveraging(self._shape[0], self._shape[1], pixels)
        else:
            raise ConfigError(Problem("shifts", "needs the height and width in input(...)"))
        return self

    def standardize(self, mean: float, std: float) -> Self:
        """Shift and scale the pixels by the statistics of the training set."""
        return self._add(Standardize(mean, std))

    def dense(
        self,
        units: int,
        activation: str | None = None,
        *,
        init: Init | str = Init.he_normal,
        batch_norm: bool = False,
    ) -> Self:
        """Add a fully connected layer, then batch normalisation and an activation if wanted.

        `activation="softmax"` is for the last layer and adds nothing: the loss and `predict_proba`
        apply the softmax themselves.
        """
        _require("units", units, Range(ge=1))
        if isinstance(init, str):
            _require_known("init", init, list(Init.__members__))
            init = Init[init]
        self._add(Dense(self._width, units, init, bias=not batch_norm))
        if batch_norm:
            self._add(BatchNorm(self._width))
        if activation == "softmax":
            self._is_complete = True
        elif activation is not None:
            _require_known("activation", activation, [*ACTIVATIONS.names(), "softmax"])
            self._add(ACTIVATIONS[activation]())
        return self

    def dropout(self, rate: float) -> Self:
        """Drop a share of the activations of the layer before; 0 adds nothing."""
        _require("rate", rate, Range(ge=0, lt=1))
        return self._add(Dropout(rate)) if rate else self

    def build(self, seed: int = 42, dtype: DTypeLike = np.float32) -> Network:
        """Return a network of its own, with initial weights drawn from `seed`."""
        spec = _spec(math.prod(self._shape), self._layers, self._shift_averaging)
        network = Network.from_spec(spec, dtype)
        network.initialize(Rng(seed)("init"))
        return network

    def _add(self, layer: Layer) -> Self:
        if not self._width:
            raise ConfigError(Problem("", "say input(size) before the first layer"))
        if self._is_complete:
            raise ConfigError(Problem("activation", "'softmax' is for the last layer only"))
        self._width = layer.output_size(self._width)
        self._layers.append(layer)
        return self


def _require(name: str, value: float, limits: Range) -> None:
    if value not in limits:
        raise ConfigError(Problem(name, f"must be {limits}, got {value!r}"))


def _require_known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        message = f"unknown {what} {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}"
        raise ConfigError(Problem(what, message))


def _spec(
    inputs: int, layers: Sequence[Layer], shift_averaging: ShiftAveraging | None
) -> dict[str, Any]:
    spec = {"inputs": inputs, "layers": [layer.spec() for layer in layers]}
    return spec | ({SHIFT_AVERAGING: asdict(shift_averaging)} if shift_averaging else {})


def _numbered(layers: Sequence[Layer]) -> list[str]:
    """Name layers by their kind and number, as in `dense_1`, `relu_1`, `dense_2`."""
    kinds = [layer.kind for layer in layers]
    return [f"{kind}_{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]
