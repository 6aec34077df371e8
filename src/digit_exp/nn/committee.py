"""Several networks as one: a layer that holds their layers and averages their probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.layers import Layer, Shape, numbered, widest
from digit_exp.nn.losses import log_softmax
from digit_exp.nn.parameters import Parameters, Slot


class Committee(Layer):
    """The mean of probabilities:  z = log Σᵢ pᵢ / n  with  pᵢ = softmax(zᵢ)  of n members.

    softmax(z) is that mean.  ∂zᵢ = dz ∘ rᵢ − pᵢ Σ (dz ∘ rᵢ)  with the share  rᵢ = pᵢ / Σⱼ pⱼ.
    """

    members: list[list[dict[str, Any]]]
    """The layers of each member, as `Layer.spec` returns them."""

    def __post_init__(self) -> None:
        self.stacks = [[Layer.from_spec(spec) for spec in member] for member in self.members]
        self.in_blocks = any(layer.in_blocks for _, layer in self._named())
        self.multiply_adds = sum(layer.multiply_adds for _, layer in self._named())

    def slots(self) -> dict[str, Slot]:
        return {
            f"{name}.{slot}": place
            for name, layer in self._named()
            for slot, place in layer.slots().items()
        }

    def bind(self, name: str, parameters: Parameters) -> None:
        for within, layer in self._named():
            layer.bind(f"{name}.{within}", parameters)

    def initialize(self, rng: np.random.Generator) -> None:
        for _, layer in self._named():
            layer.initialize(rng)

    def output_shape(self, shape: Shape) -> Shape:
        for layer in self.stacks[0]:
            shape = layer.output_shape(shape)
        return shape

    def widest(self, shape: Shape) -> int:
        return max(widest(stack, shape) for stack in self.stacks)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.log_p = []
        for stack in self.stacks:
            z = x.copy()  # a layer may write over it
            for layer in stack:
                z = layer.forward(z, rng)
            self.log_p.append(log_softmax(z))
        self.log_mean = np.logaddexp.reduce(self.log_p, axis=0) - np.log(len(self.log_p))
        y: Array = self.log_mean.astype(x.dtype)
        return y

    def backward(self, dy: Array) -> Array:
        dx: Array = np.zeros(1, dy.dtype)
        for stack, log_p in zip(self.stacks, self.log_p, strict=True):
            shared = dy * np.exp(log_p - self.log_mean) / len(self.stacks)
            dz = (shared - np.exp(log_p) * shared.sum(axis=1, keepdims=True)).astype(dy.dtype)
            for layer in reversed(stack):
                dz = layer.backward(dz)
            dx = dx + dz
        return dx

    def _named(self) -> Iterator[tuple[str, Layer]]:
        for number, stack in enumerate(self.stacks, 1):
            for name, layer in zip(numbered(stack), stack, strict=True):
                yield f"{number}.{name}", layer
