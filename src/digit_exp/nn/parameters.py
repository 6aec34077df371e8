"""One flat vector for all values of a network and one for all gradients.

Layers have reshaped views, all others use the vectors: an optimizer's update, a penalty, a norm, a
copy of the best weights and a checkpoint are one line each. A view is never rebound; writing
`self.w[...] = x` keeps it part of the vector, `self.w = x` would not.
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
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        ends, end = dict.fromkeys(Kind, 0), 0
        for name in in_order:
            shape, kind = slots[name]
            start, end = end, end + math.prod(shape)
            self._places[name] = (slice(start, end), shape)
            ends[kind] = end
        trained = max(ends[Kind.weight], ends[Kind.bias])
        if end * np.dtype(dtype).itemsize > np.iinfo(np.intp).max:
            raise MemoryError(f"no array can have {end} numbers")
        self.weight_names = [name for name in in_order if slots[name].kind is Kind.weight]
        self.storage: Array = np.zeros(end, dtype)
        self.grads: Array = np.zeros(trained, dtype)
        self.values = self.storage[:trained]
        self.weights = self.values[: ends[Kind.weight]]
        self.weight_grads = self.grads[: ends[Kind.weight]]
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
