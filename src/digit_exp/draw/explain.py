"""Explains a prediction: activations, the most important units, gradients of the pixels.

Everything comes from one forward and one backward pass through the layers of `nn`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array, Pixels
from digit_exp.draw.trace import log_probability_gradients, pixel_gradient
from digit_exp.nn.convolution import Conv2D
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Shape
from digit_exp.nn.network import Network
from digit_exp.runs.saved.predict import Predictor

MOST_UNITS = 8
"""Units of the first layer that are shown."""


@dataclass(frozen=True)
class HiddenLayer:
    """The output of a hidden layer, after its activation and pooling."""

    name: str
    values: Array  # (units,), or (maps, height, width)


@dataclass(frozen=True)
class Unit:
    """A unit or filter of the first layer, and its part in the log-probability of a class."""

    number: int
    output: float
    """For a filter: the largest in its map."""
    share: float
    """h · ∂ log p / ∂h, to first order what it adds to log p."""
    weights: Array  # (height, width)


@dataclass(frozen=True)
class Explanation:
    """What a network computed for one image and one class."""

    target: int
    gradient: Array  # (height, width): ∂ log p(target) / ∂ pixel, for pixels in [0, 1]
    hidden: Sequence[HiddenLayer]
    units: Sequence[Unit]  # the largest shares first


def explain(predictor: Predictor, seen: Pixels, target: int) -> Explanation:
    """Explain the probability of the class `target` for an image of the network's shape."""
    network, temperature = predictor.network, predictor.temperature or 1.0
    assert isinstance(network, Network)  # the page takes no other model
    x = as_input(network, seen)
    arrays, gradients = log_probability_gradients(network, x, target, temperature)
    gradient = pixel_gradient(network.shift_averaging, gradients[0]).reshape(seen.shape)
    weighted = [k for k, layer in enumerate(network.layers) if isinstance(layer, Dense | Conv2D)]
    hidden = [
        HiddenLayer(_name(network, end), as_maps(arrays[end][0], network.shapes[end - 1]))
        for end in weighted[1:]  # what the next layer with weights reads
    ]
    if not weighted:  # a committee: the layers are its members
        return Explanation(target, gradient, [], [])
    end = weighted[1] if len(weighted) > 1 else len(network.layers)
    units = _units(network, weighted[0], arrays[end], gradients[end], seen.shape)
    return Explanation(target, gradient, hidden, units)


def as_maps(values: Array, shape: Shape) -> Array:
    """Return a sample as `(maps, height, width)` if that is its shape, else as a vector."""
    return np.moveaxis(values.reshape(shape), -1, 0) if len(shape) == 3 else values.reshape(-1)


def weight_images(weights: Array, shape: tuple[int, ...]) -> Array:
    """Return the weights of a first layer, `(inputs, units)`, as an image for each unit.

    They have the shape of the image, those of a filter for grey images are a square.
    """
    side = math.isqrt(len(weights))
    if len(weights) != math.prod(shape):
        shape = (side, side) if side**2 == len(weights) else (1, len(weights))
    images: Array = weights.T.reshape(-1, *shape)
    return images


def as_input(network: Network, image: Pixels) -> Array:
    """Return an image as a batch of one, `(1, inputs)`, scaled as `Network.logits` does."""
    x = image.reshape(1, -1).astype(network.parameters.values.dtype)
    x *= 1 / 255
    return x


def _name(network: Network, end: int) -> str:
    """Return the name of the last layer before `end` that does something while evaluating."""
    layers = zip(network.names[:end], network.layers[:end], strict=True)
    return [name for name, layer in layers if not isinstance(layer, Dropout)][-1]


def _units(
    network: Network, first: int, outputs: Array, gradients: Array, shape: tuple[int, ...]
) -> list[Unit]:
    """Return the units or filters of the first layer with the largest shares."""
    layer, after = network.layers[first], network.layers[first + 1 : first + 2]
    weights: Array = layer.w  # type: ignore[attr-defined]  # dense or a convolution
    for norm in after:
        if isinstance(norm, BatchNorm):
            weights = weights * (norm.gamma / np.sqrt(norm.running_var + norm.eps))
    units = weights.shape[1]
    shares = (outputs * gradients).reshape(-1, units).sum(axis=0)  # channels are last
    largest = outputs[0].reshape(-1, units).max(axis=0)
    images = weight_images(weights, shape)
    order = np.argsort(-np.abs(shares), kind="stable")[:MOST_UNITS]
    return [Unit(int(k), float(largest[k]), float(shares[k]), images[k]) for k in order]
