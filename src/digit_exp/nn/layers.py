"""The layers of a network, each with its forward and backward pass written out.

Rows are samples. `forward(x, rng)` gets a generator while training and none while evaluating, so
that nothing can be random by accident. A backward pass belongs to the latest forward pass and has
two halves: `parameter_gradients(dy)` writes ∂loss/∂parameters into the flat gradient vector,
`input_gradient(dy)` returns ∂loss/∂x. The first layer of a network is never asked for the second.

Layers work on arrays of their own, made once and used again at every step. An activation may
overwrite the array it is given, no other layer does; every `input_gradient` may overwrite `dy`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array
from digit_exp.nn.initializers import Init, fill
from digit_exp.nn.parameters import Kind, Parameters, Slot
from digit_exp.team import spread

MOSTLY = 0.9
"""Share of the inputs of a batch that may be filled for leaving out the others to pay."""


class Layer:
    """A step of the network. Subclasses are dataclasses of what it takes to make them again."""

    kinds: ClassVar[dict[str, type[Layer]]] = {}

    def __init_subclass__(cls) -> None:
        """Make the class known by its name in lower case, for `Network.from_spec`."""
        Layer.kinds[cls.__name__.lower()] = cls

    @property
    def kind(self) -> str:
        """The name of the layer's class in a network's spec."""
        return type(self).__name__.lower()

    def spec(self) -> dict[str, object]:
        """Return a plain mapping that `Layer.kinds[kind](**rest)` turns into the same layer."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        plain = {k: v.value if isinstance(v, Enum) else v for k, v in values.items()}
        return {"kind": self.kind, **plain}

    def output_size(self, inputs: int) -> int:
        """Return the width of the output for inputs of width `inputs`."""
        return inputs

    def slots(self) -> dict[str, Slot]:
        """Return the parameters and buffers that the layer needs, by local name."""
        return {}

    def bind(self, name: str, parameters: Parameters) -> None:
        """Keep views of the layer's part of `parameters`."""

    def initialize(self, rng: np.random.Generator) -> None:
        """Write the initial values."""

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Return the output for `x`, shape `(batch, inputs)`."""
        raise NotImplementedError

    def parameter_gradients(self, dy: Array) -> None:
        """Write the gradients of the layer's own parameters."""

    def input_gradient(self, dy: Array) -> Array:
        """Return the gradient with respect to the input of the latest forward pass."""
        raise NotImplementedError


class Workspace:
    """Memory that is made once and lent in the size that is asked for."""

    def __init__(self) -> None:
        self._memory: Array = np.empty(0)

    def __call__(self, rows: int, columns: int, dtype: DTypeLike) -> Array:
        """Return an uninitialised array `(rows, columns)`, valid until the next call."""
        size = rows * columns
        if self._memory.size < size or self._memory.dtype != dtype:
            self._memory = np.empty(size, dtype)
        return self._memory[:size].reshape(rows, columns)


@dataclass(eq=False)
class Standardize(Layer):
    """Pixels with mean 0 and standard deviation 1:  y = (x − mean) / std."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        self._out = Workspace()

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        y = self._out(len(x), x.shape[1], x.dtype)
        np.subtract(x, self.mean, out=y)
        y *= 1 / self.std
        return y

    def input_gradient(self, dy: Array) -> Array:
        dy *= 1 / self.std
        return dy


@dataclass(eq=False)
class Dense(Layer):
    """A fully connected layer:  y = x W + b.

    The one that reads the images, `skips_blank`, leaves out the inputs that are 0 in all rows:
    a third of all pixels in a batch of 128 digits. They add nothing to y, and their weights get
    no gradient.
    """

    inputs: int
    units: int
    init: Init = Init.he_normal
    bias: bool = True

    def __post_init__(self) -> None:
        self.init = Init(self.init)
        self.skips_blank = False
        self._out, self._dx = Workspace(), Workspace()
        self._x, self._w, self._dw = Workspace(), Workspace(), Workspace()

    def output_size(self, inputs: int) -> int:
        return self.units

    def slots(self) -> dict[str, Slot]:
        slots = {"weight": Slot((self.inputs, self.units), Kind.weight)}
        if self.bias:
            slots["bias"] = Slot((self.units,), Kind.bias)
        return slots

    def bind(self, name: str, parameters: Parameters) -> None:
        self.w, self.dw = parameters.value(f"{name}.weight"), parameters.grad(f"{name}.weight")
        if self.bias:
            self.b, self.db = parameters.value(f"{name}.bias"), parameters.grad(f"{name}.bias")

    def initialize(self, rng: np.random.Generator) -> None:
        fill(self.w, self.init, rng)
        if self.bias:
            self.b[...] = 0

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        y = self._out(len(x), self.units, x.dtype)
        self.x, w = self._without_blank(x)

        def units(part: slice) -> None:
            np.matmul(self.x, w[:, part], out=y[:, part])
            if self.bias:
                y[:, part] += self.b[part]

        spread(units, self.units, len(x) * w.size)
        return y

    def parameter_gradients(self, dy: Array) -> None:
        inputs = self.x.shape[1]
        dw = self.dw if self._filled is None else self._dw(inputs, self.units, dy.dtype)

        def units(part: slice) -> None:
            np.matmul(self.x.T, dy[:, part], out=dw[:, part])

        spread(units, self.units, len(dy) * dw.size)
        if self._filled is not None:
            self.dw.fill(0)
            self.dw[self._filled] = dw
        if self.bias:
            np.add.reduce(dy, axis=0, out=self.db)

    def input_gradient(self, dy: Array) -> Array:
        dx = self._dx(len(dy), self.inputs, dy.dtype)

        def inputs(part: slice) -> None:
            np.matmul(dy, self.w[part].T, out=dx[:, part])

        spread(inputs, self.inputs, len(dy) * self.w.size)
        return dx

    def _without_blank(self, x: Array) -> tuple[Array, Array]:
        """Return the inputs that are not blank and their weights: all, unless that saves time."""
        self._filled = None
        if not self.skips_blank:
            return x, self.w
        filled = np.flatnonzero(x.any(axis=0))
        if len(filled) > MOSTLY * self.inputs:
            return x, self.w
        self._filled = filled
        rows = self._x(len(x), len(filled), x.dtype)
        weights = self._w(len(filled), self.units, x.dtype)
        # mode="raise" would gather into a copy first
        np.take(x, filled, axis=1, out=rows, mode="clip")
        np.take(self.w, filled, axis=0, out=weights, mode="clip")
        return rows, weights


@dataclass(eq=False)
class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015):  y = γ (x − μ) / √(σ² + ε) + β.

    μ and σ² are the batch's while training; their running averages, with the unbiased variance
    as in PyTorch, are used while evaluating.
    """

    units: int
    momentum: float = 0.1
    eps: float = 1e-5

    def slots(self) -> dict[str, Slot]:
        shape = (self.units,)
        return {
            "gamma": Slot(shape, Kind.bias),
            "beta": Slot(shape, Kind.bias),
            "running_mean": Slot(shape, Kind.buffer),
            "running_var": Slot(shape, Kind.buffer),
        }

    def bind(self, name: str, parameters: Parameters) -> None:
        self.gamma, self.dgamma = (
            parameters.value(f"{name}.gamma"),
            parameters.grad(f"{name}.gamma"),
        )
        self.beta, self.dbeta = parameters.value(f"{name}.beta"), parameters.grad(f"{name}.beta")
        self.running_mean = parameters.value(f"{name}.running_mean")
        self.running_var = parameters.value(f"{name}.running_var")

    def initialize(self, rng: np.random.Generator) -> None:
        self.gamma[...], self.beta[...] = 1, 0
        self.running_mean[...], self.running_var[...] = 0, 1

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        mean, var = self.running_mean, self.running_var
        if rng is not None:
            mean, var = x.mean(axis=0), x.var(axis=0)
            unbiased = var * (len(x) / max(len(x) - 1, 1))
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        self.from_batch = rng is not None
        self.inverse_std = 1 / np.sqrt(var + self.eps)
        self.normalized = (x - mean) * self.inverse_std
        y: Array = self.gamma * self.normalized + self.beta
        return y

    def parameter_gradients(self, dy: Array) -> None:
        np.einsum("ij,ij->j", dy, self.normalized, out=self.dgamma)
        np.add.reduce(dy, axis=0, out=self.dbeta)

    def input_gradient(self, dy: Array) -> Array:
        if not self.from_batch:
            dy *= self.gamma * self.inverse_std
            return dy
        # μ and σ² depend on x too: what they add is the mean of dy and its share along x̂.
        dy -= self.dbeta / len(dy)
        dy -= self.normalized * (self.dgamma / len(dy))
        dy *= self.gamma * self.inverse_std
        return dy


@dataclass(eq=False)
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014): zero a share of the activations, scale the rest.

    y = x · m / (1 − rate) with m ~ Bernoulli(1 − rate) while training, y = x otherwise.
    """

    rate: float

    def __post_init__(self) -> None:
        self._mask, self._out = Workspace(), Workspace()

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.mask = None
        if rng is None or self.rate == 0:
            return x
        self.mask = self._mask(len(x), x.shape[1], x.dtype)
        kept = rng.random(x.shape, dtype=np.float32) >= self.rate
        np.multiply(kept, 1 / (1 - self.rate), out=self.mask, casting="same_kind")
        # Not in place: the activation before needs its own output for its derivative.
        y = self._out(len(x), x.shape[1], x.dtype)
        np.multiply(x, self.mask, out=y)
        return y

    def input_gradient(self, dy: Array) -> Array:
        if self.mask is not None:
            dy *= self.mask
        return dy
