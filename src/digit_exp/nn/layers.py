"""The layers of a network, each with its forward and backward pass written out.

Rows are samples. `forward(x, rng)` returns y; `backward(dy)` takes ∂loss/∂y, writes the gradients
of the layer's own parameters and returns ∂loss/∂x. A generator is given while training and none
while evaluating, so that nothing is random by accident. A backward pass uses the arrays of the
forward pass before it.

Arrays are reused from step to step: what a layer returns is valid until its next pass. Activations
write y over x; all layers but `Dense` write dx over dy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, dataclass_transform

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array
from digit_exp.nn.initializers import Init, fill
from digit_exp.nn.kernels import drop, moments, normalize, normalize_backward, scale_gradients
from digit_exp.nn.parameters import Kind, Parameters, Slot

Shape = tuple[int, ...]
"""`(units,)`, or `(height, width, channels)` of maps; each layer sees them as a flat row."""


@dataclass_transform(eq_default=False)
class Layer:
    """A step of the network. A subclass is a dataclass of its constructor's arguments."""

    kinds: ClassVar[dict[str, type[Layer]]] = {}
    """Every class of layer by its name in lower case, for `from_spec`."""

    def __init_subclass__(cls) -> None:
        """Make a dataclass of the subclass, and add it to `kinds`."""
        Layer.kinds[cls.__name__.lower()] = dataclass(eq=False)(cls)

    x: Array
    y: Array
    multiply_adds = 0
    """How many products the forward pass of a sample adds up; small passes count as none."""
    in_blocks = False
    """Whether its products are those of blocks of images, which threads share."""

    @property
    def kind(self) -> str:
        """The name of the layer's class in a network's spec."""
        return type(self).__name__.lower()

    def spec(self) -> dict[str, object]:
        """Return a plain mapping that `from_spec` turns into the same layer."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        plain = {k: v.value if isinstance(v, Enum) else v for k, v in values.items()}
        return {"kind": self.kind, **plain}

    @staticmethod
    def from_spec(spec: Mapping[str, Any]) -> Layer:
        """Return the layer of a `spec`; raise KeyError or TypeError if there is none like it."""
        values = {key: value for key, value in spec.items() if key not in ("kind", "name")}
        return Layer.kinds[spec["kind"]](**values)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one sample's output for inputs of `shape`."""
        return shape

    def widest(self, shape: Shape) -> int:
        """Return the most numbers that one of its arrays has for a sample of `shape`."""
        return math.prod(self.output_shape(shape))

    def slots(self) -> dict[str, Slot]:
        """Return the parameters and buffers that the layer needs, by local name."""
        return {}

    def bind(self, name: str, parameters: Parameters) -> None:
        """Keep views of the layer's part of `parameters`."""

    def initialize(self, rng: np.random.Generator) -> None:
        """Write the initial values."""

    def reused(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return the array that is kept as `name`, or its first rows; a new one if it is too small.

        Its contents are those of the latest step.
        """
        kept: Array | None = vars(self).get(name)
        if kept is None or kept.shape[1:] != shape[1:] or len(kept) < shape[0]:
            return np.empty(shape, dtype)
        return kept[: shape[0]] if kept.dtype == dtype else np.empty(shape, dtype)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Return y, shape `(batch, units)`, for x, shape `(batch, inputs)`."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """Write ∂loss/∂parameters and return ∂loss/∂x for dy = ∂loss/∂y."""
        raise NotImplementedError

    def parameter_gradients(self, dy: Array) -> None:
        """Write ∂loss/∂parameters only: the gradient of the images is not needed."""
        self.backward(dy)


class Standardize(Layer):
    """Pixels with mean 0 and standard deviation 1:  y = (x − mean) / std;  dx = dy / std."""

    mean: float
    std: float

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = y = self.reused("y", x.shape, x.dtype)
        np.subtract(x, self.mean, out=y)
        y *= 1 / self.std
        return y

    def backward(self, dy: Array) -> Array:
        dy *= 1 / self.std
        return dy


class WeightAndBias:
    """The parameters of a layer  y = x W + b,  whose W has the shape `weight_shape`."""

    weight_shape: tuple[int, int]
    init: Init
    bias: bool
    uses = 1
    """How often a unit uses an input, each time with another weight."""

    def slots(self) -> dict[str, Slot]:
        """Return the slots of W and, if there is one, of b."""
        slots = {"weight": Slot(self.weight_shape, Kind.weight)}
        if self.bias:
            slots["bias"] = Slot(self.weight_shape[1:], Kind.bias)
        return slots

    def bind(self, name: str, parameters: Parameters) -> None:
        """Keep views of W, b and their gradients."""
        self.w, self.dw = parameters.value(f"{name}.weight"), parameters.grad(f"{name}.weight")
        if self.bias:
            self.b, self.db = parameters.value(f"{name}.bias"), parameters.grad(f"{name}.bias")

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw W; b starts at zero."""
        fill(self.w, self.init, rng, self.uses)
        if self.bias:
            self.b[...] = 0


class Dense(WeightAndBias, Layer):
    """A fully connected layer:  y = x W + b;  ∂W = xᵀ dy,  ∂b = Σ dy,  dx = dy Wᵀ."""

    inputs: int
    units: int
    init: Init = Init.he_normal
    bias: bool = True

    def __post_init__(self) -> None:
        self.init = Init(self.init)
        self.weight_shape = self.inputs, self.units
        self.multiply_adds = self.inputs * self.units

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        self.y = y = self.reused("y", (len(x), self.units), x.dtype)
        np.matmul(x, self.w, out=y)
        if self.bias:
            y += self.b
        return y

    def backward(self, dy: Array) -> Array:
        self.parameter_gradients(dy)
        self.dx = dx = self.reused("dx", self.x.shape, dy.dtype)
        return np.matmul(dy, self.w.T, out=dx)

    def parameter_gradients(self, dy: Array) -> None:
        np.matmul(self.x.T, dy, out=self.dw)
        if self.bias:
            np.add.reduce(dy, axis=0, out=self.db)


class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015):  y = γ (x − μ) / √(σ² + ε) + β.

    ∂γ = Σ dy (x − μ) / √(σ² + ε),  ∂β = Σ dy,  dx = dy · γ / √(σ² + ε). μ and σ² are the batch's
    while training, which adds two terms to dx; their running averages, with the unbiased variance
    as in PyTorch, are used while evaluating. After a convolution, `units` are its filters, and
    every place in a map counts as a row.
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
        value, grad = parameters.value, parameters.grad
        self.gamma, self.dgamma = value(f"{name}.gamma"), grad(f"{name}.gamma")
        self.beta, self.dbeta = value(f"{name}.beta"), grad(f"{name}.beta")
        self.running_mean = value(f"{name}.running_mean")
        self.running_var = value(f"{name}.running_var")

    def initialize(self, rng: np.random.Generator) -> None:
        self.gamma[...], self.beta[...] = 1, 0
        self.running_mean[...], self.running_var[...] = 0, 1

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        shape, x = x.shape, x.reshape(-1, self.units)
        mean, var = self.running_mean, self.running_var
        self.from_batch = rng is not None
        if self.from_batch:
            mean, var = np.empty_like(mean), np.empty_like(var)
            moments(x, mean, var)
            unbiased = var * (len(x) / max(len(x) - 1, 1))
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        self.inverse_std = 1 / np.sqrt(var + self.eps)
        self.normalized = self.reused("normalized", x.shape, x.dtype)
        self.y = y = self.reused("y", x.shape, x.dtype)
        normalize(x, mean, self.inverse_std, self.gamma, self.beta, self.normalized, y)
        return y.reshape(shape)

    def backward(self, dy: Array) -> Array:
        rows = dy.reshape(-1, self.units)
        scale_gradients(rows, self.normalized, self.dgamma, self.dbeta)
        # μ and σ² of a batch depend on x too: they add the mean of dy and its share along x̂.
        count = len(rows) if self.from_batch else np.inf
        along, mean = self.dgamma / count, self.dbeta / count
        normalize_backward(rows, self.normalized, along, mean, self.gamma * self.inverse_std)
        return dy


class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014).

    Each unit is zeroed with probability `rate` while training, the rest are scaled by
    1/(1 − rate):  y = x · m / (1 − rate),  dx = dy · m / (1 − rate);
    m ~ Bernoulli(1 − rate). Evaluation changes nothing.
    """

    rate: float

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.is_training = rng is not None and self.rate > 0
        if rng is None or not self.rate:
            return x
        self.noise = self.draw(x.shape, rng)
        # Not in place: the activation before needs its own output for its derivative.
        self.y = y = self.reused("y", x.shape, x.dtype)
        self._drop(x, y)
        return y

    def backward(self, dy: Array) -> Array:
        if self.is_training:
            self._drop(dy, dy)
        return dy

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        """Return uniform numbers in [0, 1): where they are below `rate`, units are zeroed."""
        noise = self.reused("noise", shape, np.float32)
        rng.random(out=noise, dtype=np.float32)
        return noise

    def _drop(self, x: Array, out: Array) -> None:
        drop(x, self.noise, np.float32(self.rate), x.dtype.type(1 / (1 - self.rate)), out)


def widest(layers: Sequence[Layer], shape: Shape) -> int:
    """Return the most numbers that an array of a layer has for a sample of `shape`."""
    most = 0
    for layer in layers:
        most = max(most, layer.widest(shape))
        shape = layer.output_shape(shape)
    return most


def numbered(layers: Sequence[Layer]) -> list[str]:
    """Name layers by their kind and number, as in `dense_1`, `relu_1`, `dense_2`."""
    kinds = [layer.kind for layer in layers]
    return [f"{kind}_{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]
