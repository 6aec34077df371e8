"""Why a network reads what it reads: its activations, the units that decided, the pixels.

Everything comes from one forward and one backward pass through the layers of `nn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array, Pixels
from digit_exp.draw.trace import log_probability_gradients, pixel_gradient
from digit_exp.nn.layers import BatchNorm, Dense
from digit_exp.nn.network import Network
from digit_exp.runs.reuse.predict import Predictor

MOST_UNITS = 8
"""Units of the first layer that are shown."""


@dataclass(frozen=True)
class HiddenLayer:
    """The outputs of a hidden layer, after its activation."""

    name: str
    values: Array  # (units,)


@dataclass(frozen=True)
class Unit:
    """A unit of the first layer, and its part in the log-probability of a class."""

    number: int
    activation: float
    share: float
    """h · ∂ log p / ∂h, to first order what the unit adds to log p."""
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
    network = predictor.network
    x = as_input(network, seen)
    arrays, gradients = log_probability_gradients(network, x, target, predictor.temperature or 1.0)
    gradient = pixel_gradient(network.shift_averaging, gradients[0]).reshape(seen.shape)
    dense = [i for i, layer in enumerate(network.layers) if isinstance(layer, Dense)]
    # what the next dense layer reads is the output of the one before, after its activation
    ends = [*dense[1:], len(network.layers)]
    hidden = [HiddenLayer(_name(network, end), arrays[end][0]) for end in ends[:-1]]
    shares = (arrays[ends[0]] * gradients[ends[0]]).sum(axis=0)
    units = _units(network, arrays[ends[0]][0], shares, seen.shape)
    return Explanation(target, gradient, hidden, units)


def as_input(network: Network, image: Pixels) -> Array:
    """Return an image as a batch of one, `(1, inputs)`, scaled as `Network.logits` does."""
    x = image.reshape(1, -1).astype(network.parameters.values.dtype)
    x *= 1 / 255
    return x


def _name(network: Network, end: int) -> str:
    """Return the name of the last layer of a hidden layer that computes something."""
    names = [name for name in network.names[:end] if not name.startswith("dropout")]
    return names[-1]


def _units(network: Network, outputs: Array, shares: Array, shape: tuple[int, ...]) -> list[Unit]:
    weights = _first_weights(network)
    order = np.argsort(-np.abs(shares), kind="stable")[:MOST_UNITS]
    return [
        Unit(int(k), float(outputs[k]), float(shares[k]), weights[:, k].reshape(shape))
        for k in order
    ]


def _first_weights(network: Network) -> Array:
    """Return the weights of the first dense layer, scaled by a batch normalisation after it."""
    layers = iter(network.layers)
    first = next(layer for layer in layers if isinstance(layer, Dense))
    after = next(layers, None)
    if isinstance(after, BatchNorm):
        scaled: Array = first.w * (after.gamma / np.sqrt(after.running_var + after.eps))
        return scaled
    return first.w
