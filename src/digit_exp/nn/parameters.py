"""One flat vector for all values of a network and one for all gradients.

Layers have reshaped views, all others use the vectors: an optimizer's update, a penalty, a norm, a
copy of the best weights and a checkpoint are one line each. A view is never rebound; writing
`self.w[...] = x` keeps it part of the vector, `self.w = x` would not.

Initial weights have variances that keep activations at one scale through the layers: `fan_in` and
`fan_out` are the inputs and units of a dense layer. Biases start at zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array


class Kind(Enum):
    """How a slot is used: trained and decayed, trained, or only kept."""

    weight = "weight"
    bias = "bias"
    buffer = "buffer"


class Slot(NamedTuple):
    """Shape and kind of a parameter or a buffer of a layer."""

    shape: tuple[int, ...]
    kind: Kind


class Parameters:
    """The numbers of a network, laid out as weights, then biases, then buffers.

    `storage` holds all three, everything that an evaluation needs. `values` is its trained part,
    with `grads` beside it; `weights` and `weight_grads` are the leading parts of those, the only
    ones that a penalty or a weight decay touches. Raises MemoryError if there is no room for them.
    """

    def __init__(self, slots: Mapping[str, Slot], dtype: DTypeLike = np.float32) -> None:
        in_order = sorted(slots, key=lambda name: list(Kind).index(slots[name].kind))
        sizes = {name: math.prod(slots[name].shape) for name in in_order}
        count = {
            kind: sum(sizes[name] for name in in_order if slots[name].kind is kind) for kind in Kind
        }
        trained = count[Kind.weight] + count[Kind.bias]
        total = trained + count[Kind.buffer]
        if total * np.dtype(dtype).itemsize > np.iinfo(np.intp).max:
            raise MemoryError(f"no array can have {total} numbers")
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        start = 0
        for name in in_order:
            self._places[name] = (slice(start, start + sizes[name]), slots[name].shape)
            start += sizes[name]
        self.weight_names = [name for name in in_order if slots[name].kind is Kind.weight]
        self.storage: Array = np.zeros(total, dtype)
        self.grads: Array = np.zeros(trained, dtype)
        self.values = self.storage[:trained]
        self.weights = self.values[: count[Kind.weight]]
        self.weight_grads = self.grads[: count[Kind.weight]]
        self.matrices = [self.value(name) for name in self.weight_names]

    def value(self, name: str) -> Array:
        """Return the values of one slot, a view in its own shape."""
        place, shape = self._places[name]
        return self.storage[place].reshape(shape)

    def arrays(self) -> dict[str, Array]:
        """Return the values of all slots by name, as views."""
        return {name: self.value(name) for name in self._places}

    def grad(self, name: str) -> Array:
        """Return the gradients of one trained slot, a view in its own shape."""
        place, shape = self._places[name]
        return self.grads[place].reshape(shape)

    def __len__(self) -> int:
        """Return how many numbers are trained."""
        return len(self.values)


class Init(Enum):
    """The known initializers. `he`, `glorot` and `lecun` are short for their normal variants."""

    he_normal = "he_normal"
    he_uniform = "he_uniform"
    glorot_normal = "glorot_normal"
    glorot_uniform = "glorot_uniform"
    lecun_normal = "lecun_normal"
    lecun_uniform = "lecun_uniform"
    normal = "normal"
    uniform = "uniform"
    he = he_normal
    glorot = glorot_normal
    lecun = lecun_normal


def variance(init: Init, fan_in: int, fan_out: int) -> float:
    """Return the variance that `init` gives to a weight.

    He et al. 2015: 2 / fan_in. Glorot & Bengio 2010: 2 / (fan_in + fan_out). LeCun et al. 1998:
    1 / fan_in. Plain `normal` and `uniform`: standard deviation 0.05.
    """
    family = init.value.removesuffix("_normal").removesuffix("_uniform")
    return {
        "he": 2 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "lecun": 1 / fan_in,
    }.get(family, 0.05**2)


def fill(weights: Array, init: Init, rng: np.random.Generator) -> None:
    """Write fresh values into `weights`, shape `(inputs, units)`.

    Drawn in float64 and rounded, so that a float32 and a float64 network start alike.
    """
    fan_in, fan_out = weights.shape
    std = math.sqrt(variance(init, fan_in, fan_out))
    if init.value.endswith("uniform"):
        limit = std * math.sqrt(3)  # a uniform variable on [-a, a] has variance a²/3
        weights[...] = rng.uniform(-limit, limit, weights.shape)
    else:
        weights[...] = rng.normal(0.0, std, weights.shape)
