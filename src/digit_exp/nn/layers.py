"""The layers of a network, each with its forward and backward pass written out.

Rows are samples. A pass has two moments. `begin` gets the batch, draws what is random and says in
which array the output will be; `forward` then computes some rows of it, and since no row needs
another, several processes can. The backward pass is alike: `begin_backward` and `backward` turn dy,
∂loss/∂y, into ∂loss/∂x. At last `parameter_gradients` writes a part of ∂loss/∂parameters, for which
all rows must be there, into the flat gradient vector.

`begin` gets a generator while training and none while evaluating, so that nothing can be random by
accident. Layers work on arrays of their own, made once and used again at every step. An activation
overwrites its input, no other layer does; all but `Dense` overwrite dy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from typing import ClassVar

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.initializers import Init, fill
from digit_exp.nn.parameters import Kind, Parameters, Slot
from digit_exp.nn.workspace import Workspace
from digit_exp.parts import SHORT, TINY, Part, rounds_alike, smallest_part
from digit_exp.team import spread

MOSTLY = 0.9
"""Share of the inputs of a batch that may be filled for leaving out the others to pay."""


class Layer:
    """A step of the network. Subclasses are dataclasses of what it takes to make them again."""

    kinds: ClassVar[dict[str, type[Layer]]] = {}

    multiply_adds: int = 0
    """How many of them the matrix product of the latest pass has for each row."""

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

    def workspaces(self) -> Iterator[Workspace]:
        """Yield the layer's own memory."""
        return (value for value in vars(self).values() if isinstance(value, Workspace))

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Get ready for a pass over `x`, shape `(batch, inputs)`; return where its output will be.

        Of `x` only the place is known, unless the layer is the first. By default y takes the
        place of x.
        """
        self.y = x
        return x

    def divides(self, rows: int, count: int) -> bool:
        """Return whether `count` parts of the rows come out in `forward` as they would together."""
        return True

    def divides_back(self, rows: int, count: int) -> bool:
        """Return whether they do in `backward`."""
        return True

    def forward(self, rows: slice) -> None:
        """Write these rows of the output. Their input is there now."""
        raise NotImplementedError

    def begin_backward(self, dy: Array) -> Array:
        """Get ready to go back; return where ∂loss/∂x will be: by default in the place of dy."""
        self.dy = dy
        return dy

    def backward(self, rows: slice) -> None:
        """Write these rows of ∂loss/∂x. Their dy is there now."""
        raise NotImplementedError

    def parameter_gradients(self, part: Part) -> None:
        """Write a part of the gradients of the layer's own parameters. All of dy is there now."""


@dataclass(eq=False)
class Standardize(Layer):
    """Pixels with mean 0 and standard deviation 1:  y = (x − mean) / std."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        self._out = Workspace()

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x, self.y = x, self._out(x.shape, x.dtype)
        return self.y

    def forward(self, rows: slice) -> None:
        y = np.subtract(self.x[rows], self.mean, out=self.y[rows])
        y *= 1 / self.std

    def backward(self, rows: slice) -> None:
        self.dy[rows] *= 1 / self.std


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
        self.multiply_adds = self.inputs * self.units
        self.skips_blank = False
        self._out, self._dx = Workspace(), Workspace()
        self._x, self._w, self._bits = Workspace(), Workspace(), Workspace()
        self._dw = Workspace(is_common=False)

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

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x, self.y = x, self._out((len(x), self.units), x.dtype)
        self._leave_out_blank()
        return self.y

    def divides(self, rows: int, count: int) -> bool:
        return rounds_alike(rows, self.multiply_adds, count)

    def divides_back(self, rows: int, count: int) -> bool:
        return count == 1 or smallest_part(rows, count) * self.inputs > TINY

    def forward(self, rows: slice) -> None:
        x, w = self.x[rows], self.w
        if self._filled is not None:
            # mode="raise" would gather into a copy first; nothing wraps
            x = np.take(x, self._filled, axis=1, out=self._filled_x[rows], mode="wrap")
            w = self._filled_w
        y = np.matmul(x, w, out=self.y[rows])
        if self.bias:
            y += self.b

    def begin_backward(self, dy: Array) -> Array:
        self.dy, self.dx = dy, self._dx((len(dy), self.inputs), dy.dtype)
        return self.dx

    def backward(self, rows: slice) -> None:
        np.matmul(self.dy[rows], self.w.T, out=self.dx[rows])

    def parameter_gradients(self, part: Part) -> None:
        if self._filled is None:
            inputs = self._part_of_inputs(part, self.inputs)
            np.matmul(self.x.T[inputs], self.dy, out=self.dw[inputs])
        else:
            inputs = self._part_of_inputs(part, len(self._filled))
            dw = np.matmul(self._filled_x.T[inputs], self.dy, out=self._filled_dw[inputs])
            self.dw[self._filled[inputs]] = dw
            self.dw[self._blank[part.of(len(self._blank))]] = 0
        if self.bias:
            units = part.of(self.units)
            np.add.reduce(self.dy[:, units], axis=0, out=self.db[units])

    def _part_of_inputs(self, part: Part, inputs: int) -> slice:
        """Return those for whose weights a member computes the gradients."""
        rows = len(self.x)
        divides = self.units > 1 and (
            rows <= SHORT or rounds_alike(inputs, rows * self.units, part.count)
        )
        return part.of(inputs) if divides else part.or_all(inputs)

    def _leave_out_blank(self) -> None:
        """Choose the inputs that are not blank, and copy their weights, if that saves time."""
        self._filled, self.multiply_adds = None, self.w.size
        if not self.skips_blank:
            return
        rows, dtype = len(self.x), self.x.dtype
        # a number whose bits are all 0 is 0; this is the fastest way to ask
        numbers = self.x.view(f"u{dtype.itemsize}")
        bits = self._bits((self.inputs,), numbers.dtype)
        room, weights = self._x(self.x.shape, dtype), self._w(self.w.shape, dtype)

        def look(part: Part) -> None:
            own = part.of(self.inputs)
            np.bitwise_or.reduce(numbers[:, own], axis=0, out=bits[own])

        spread(look)
        (filled,) = bits.nonzero()
        if len(filled) > MOSTLY * self.inputs:
            return
        self._filled, (self._blank,) = filled, (bits == 0).nonzero()
        self.multiply_adds = len(filled) * self.units
        self._filled_x = room.reshape(-1)[: rows * len(filled)].reshape(rows, len(filled))
        self._filled_w = weights[: len(filled)]
        self._filled_dw = self._dw((len(filled), self.units), dtype)

        def gather(part: Part) -> None:
            own = part.of(len(filled))
            np.take(self.w, filled[own], axis=0, out=self._filled_w[own], mode="wrap")

        spread(gather)


@dataclass(eq=False)
class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015):  y = γ (x − μ) / √(σ² + ε) + β.

    μ and σ² are the batch's while training; their running averages, with the unbiased variance
    as in PyTorch, are used while evaluating.
    """

    units: int
    momentum: float = 0.1
    eps: float = 1e-5

    def __post_init__(self) -> None:
        self._out, self._normalized = Workspace(), Workspace()

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

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x, self.y = x, self._out(x.shape, x.dtype)
        self.normalized = self._normalized(x.shape, x.dtype)
        self.from_batch = rng is not None
        return self.y

    def divides(self, rows: int, count: int) -> bool:
        return count == 1

    divides_back = divides

    def forward(self, rows: slice) -> None:
        x, mean, var = self.x, self.running_mean, self.running_var
        if self.from_batch:
            mean, var = x.mean(axis=0), x.var(axis=0)
            unbiased = var * (len(x) / max(len(x) - 1, 1))
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        self.inverse_std = 1 / np.sqrt(var + self.eps)
        np.subtract(x, mean, out=self.normalized)
        self.normalized *= self.inverse_std
        np.multiply(self.gamma, self.normalized, out=self.y)
        self.y += self.beta

    def backward(self, rows: slice) -> None:
        dy = self.dy
        np.einsum("ij,ij->j", dy, self.normalized, out=self.dgamma)
        np.add.reduce(dy, axis=0, out=self.dbeta)
        if self.from_batch:
            # μ and σ² depend on x too: what they add is the mean of dy and its share along x̂.
            dy -= self.dbeta / len(dy)
            dy -= self.normalized * (self.dgamma / len(dy))
        dy *= self.gamma * self.inverse_std


@dataclass(eq=False)
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014): zero a share of the activations, scale the rest.

    y = x · m / (1 − rate) with m ~ Bernoulli(1 − rate) while training, y = x otherwise.
    """

    rate: float

    def __post_init__(self) -> None:
        self._mask, self._out = Workspace(is_common=False), Workspace()

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x, self.y, self.mask = x, x, None
        if rng is not None and self.rate:
            self.mask = self._mask(x.shape, x.dtype)
            kept = rng.random(x.shape, dtype=np.float32) >= self.rate
            np.multiply(kept, 1 / (1 - self.rate), out=self.mask, casting="same_kind")
            # Not in place: the activation before needs its own output for its derivative.
            self.y = self._out(x.shape, x.dtype)
        return self.y

    def forward(self, rows: slice) -> None:
        if self.mask is not None:
            np.multiply(self.x[rows], self.mask[rows], out=self.y[rows])

    def backward(self, rows: slice) -> None:
        if self.mask is not None:
            self.dy[rows] *= self.mask[rows]
