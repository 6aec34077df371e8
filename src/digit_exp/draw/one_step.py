"""One training step on one image, in stages: each array, its equation, and the code that made it.

The layers, the loss and the optimizer are those of a run. They work on a copy of its network.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import digit_exp
from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.draw.explain import as_input
from digit_exp.draw.trace import backward, forward
from digit_exp.kernels import Kernel
from digit_exp.nn.layers import Dense, Layer
from digit_exp.nn.losses import cross_entropy, softmax
from digit_exp.nn.network import Network
from digit_exp.optim.optimizers import Optimizer
from digit_exp.optim.regularizers import Regularizer

MOST_TILES, MOST_ROWS = 24, 256
"""Units whose weights are shown as images; rows and columns of a matrix that are shown."""

BACKWARD = {
    "standardize": "dx = dy / std",
    "batchnorm": "dx = dy · γ / √(σ² + ε)",
    "dropout": "dx = dy · m / (1 − rate)",
    "relu": "dx = dy if y > 0, else 0",
    "leakyrelu": "dx = dy if y > 0, else α dy",
    "elu": "dx = dy if y > 0, else (y + α) dy",
    "gelu": "dx = dy · (Φ(x) + x φ(x))",
    "tanh": "dx = dy · (1 − y²)",
    "sigmoid": "dx = dy · y (1 − y)",
}
"""What the docstrings of layers leave to their code."""
GRADIENTS = {
    "weight": "∂W = xᵀ dy",
    "bias": "∂b = Σ dy",
    "gamma": "∂γ = Σ dy (x − μ) / √(σ² + ε)",
    "beta": "∂β = Σ dy",
}
"""The gradient of each kind of parameter."""


@dataclass(frozen=True)
class Picture:
    """An array to be shown: one or several images of the same size."""

    equation: str
    values: Array  # (tiles, rows, columns); NaN where there is nothing
    caption: str
    is_pixels: bool = False
    """From black to white; others are signed."""


@dataclass(frozen=True)
class Code:
    """The source of a function, and where it is."""

    where: str
    text: str


@dataclass(frozen=True)
class Stage:
    """What one layer, the loss or the optimizer does."""

    phase: str  # forward, loss, backward or update
    name: str
    text: str
    pictures: Sequence[Picture]
    code: Sequence[Code]


@dataclass(frozen=True)
class Step:
    """A network and the way it is trained, for steps on single images."""

    network: Network
    shape: tuple[int, int]
    optimizer: Optimizer
    regularizer: Regularizer

    def stages(self, image: Pixels, label: int, rng: np.random.Generator) -> list[Stage]:
        """Return the stages of one step on an image, in the order in which they happen."""
        network = Network.from_spec(self.network.spec(), self.network.parameters.values.dtype)
        network.parameters.storage[:] = self.network.parameters.storage
        arrays = forward(network, as_input(network, image), rng)
        labels = np.array([label], np.intp)
        loss = cross_entropy(arrays[-1].copy(), labels, self.regularizer.label_smoothing)
        gradients = backward(network, loss.gradient)
        show = _Pictures(network, self.shape)
        layers = list(enumerate(zip(network.names, network.layers, strict=True)))
        text = "A training image as it is stored, without augmentation."
        p = softmax(arrays[-1].copy())
        return [
            Stage("forward", "image", text, [show.vector("x", arrays[0], is_pixels=True)], []),
            *(show.forward(name, layer, *arrays[k : k + 2]) for k, (name, layer) in layers),
            Stage(
                "loss",
                "loss",
                f"loss = −Σ q log p = {loss.mean:.4g} for the label {label}.",
                [
                    show.vector("z, the logits", arrays[-1]),
                    show.vector("p = softmax(z)", p),
                    show.vector("q, the target", p - loss.gradient),
                    show.vector("∂loss/∂z = p − q", loss.gradient),
                ],
                _sources(None, cross_entropy),
            ),
            *(
                show.backward(name, layer, *gradients[k : k + 2])
                for k, (name, layer) in layers[::-1]
            ),
            self._update(network, image, loss.mean, labels, show),
        ]

    def _update(
        self, network: Network, image: Pixels, before: float, labels: Labels, show: _Pictures
    ) -> Stage:
        parameters, lr = network.parameters, self.optimizer.lr
        old = parameters.storage.copy()
        self.regularizer.add_gradient(parameters.weights, parameters.weight_grads)
        slots = self.optimizer.init(len(parameters), parameters.values.dtype)
        self.optimizer.decay(parameters.weights, lr)
        self.optimizer.update(parameters.values, parameters.grads, slots, lr, 1)
        self.regularizer.constrain(parameters.matrices)
        logits = forward(network, as_input(network, image))[-1]
        after = cross_entropy(logits, labels, self.regularizer.label_smoothing).mean
        parameters.storage -= old  # the change is what is shown
        pictures = [
            show.matrix(f"change of W of {name.removesuffix('.weight')}", parameters.value(name))
            for name in parameters.weight_names
        ]
        text = (
            f"{_about(self.optimizer)} With η = {lr:g} and an empty memory, this step takes the"
            f" loss of this image from {before:.4g} to {after:.4g}."
        )
        return Stage("update", "update", text, pictures, _sources(None, self.optimizer.rule))


class _Pictures:
    """Arrays of a network as pictures; of its first weights, the units with large gradients."""

    def __init__(self, network: Network, shape: tuple[int, int]) -> None:
        self.network, self.shape = network, shape
        first = next(layer for layer in network.layers if isinstance(layer, Dense))
        largest = np.argsort(-np.square(first.dw).sum(axis=0), kind="stable")[:MOST_TILES]
        self.units = np.sort(largest)

    def forward(self, name: str, layer: Layer, x: Array, y: Array) -> Stage:
        equations = _equations(layer)
        is_first = name == self.network.names[0]
        pictures = [self.vector("x", x, is_pixels=is_first)]
        if isinstance(layer, Dense):
            pictures.append(self.matrix("W", layer.w))
            pictures += [self.vector("b", layer.b)] if layer.bias else []
        pictures.append(self.vector(equations[0] if equations else "y = f(x)", y))
        return Stage("forward", name, _about(layer), pictures, _sources(layer, layer.forward))

    def backward(self, name: str, layer: Layer, dx: Array, dy: Array) -> Stage:
        stated = [equation for equation in _equations(layer) if equation.startswith("dx = ")]
        unknown = BACKWARD.get(layer.kind, "dx = dy · ∂y/∂x")
        pictures = [self.vector("dy", dy)]
        for slot in layer.slots():
            if not slot.startswith("running_"):
                gradient = self.network.parameters.grad(f"{name}.{slot}")
                shown = self.matrix if gradient.ndim == 2 else self.vector
                pictures.append(shown(GRADIENTS.get(slot, f"∂{slot}"), gradient))
        pictures.append(self.vector(stated[0] if stated else unknown, dx))
        return Stage("backward", name, _about(layer), pictures, _sources(layer, layer.backward))

    def matrix(self, equation: str, w: Array) -> Picture:
        """Show the weights of the first layer as images, other matrices as they are."""
        inputs, units = w.shape
        if inputs == self.network.inputs:
            tiles = w.T[self.units].reshape(-1, *self.shape)
            some = f"{len(tiles)} units with the largest gradients"
            whose = "each unit" if len(tiles) == units else f"each of the {some}"
            return Picture(equation, tiles, f"{inputs} × {units}, an image for {whose}")
        part = w[:MOST_ROWS, :MOST_ROWS]
        some = "" if part.shape == w.shape else f", the first {len(part)} × {part.shape[1]}"
        return Picture(equation, part[None].copy(), f"{inputs} × {units}{some}")

    def vector(self, equation: str, values: Array, *, is_pixels: bool = False) -> Picture:
        """Show as many numbers as pixels as an image, others in rows."""
        flat = values.reshape(-1)
        if flat.size == self.network.inputs:
            caption = "{} × {} pixels".format(*self.shape)
            return Picture(equation, flat.reshape(1, *self.shape), caption, is_pixels)
        columns = flat.size if flat.size <= 16 else 16 if flat.size <= 256 else 32
        padded = np.full(-(-flat.size // columns) * columns, np.nan, flat.dtype)
        padded[: flat.size] = flat
        return Picture(equation, padded.reshape(1, -1, columns), f"{flat.size} numbers")


def _about(thing: object) -> str:
    """Return the first paragraph of the docstring of an object's class."""
    documented = inspect.getdoc(type(thing)) or type(thing).__name__
    return " ".join(documented.split("\n\n")[0].split())


def _equations(layer: Layer) -> list[str]:
    """Return the equations at the end of a layer's docstring, the first that of y."""
    documented = " ".join((inspect.getdoc(type(layer)) or "").split("\n"))
    _, _, formulas = documented.partition(":  ")
    return [part.strip() for part in re.split(r";\s|,\s\s|\.(?:\s|$)", formulas) if " = " in part]


def _sources(layer: Layer | None, function: Callable[..., Any]) -> list[Code]:
    """Return the source of a function, of the layer's methods and of the kernels that it calls."""
    plain = getattr(function, "__func__", function)
    methods = (vars(type(layer)).get(name) for name in plain.__code__.co_names)
    found = [plain, *filter(callable, methods)]
    called = (each.__globals__.get(name) for each in found for name in each.__code__.co_names)
    found += [kernel.plain for kernel in called if isinstance(kernel, Kernel)]
    return [code for code in map(_code, found) if code is not None]


@cache
def _code(function: Callable[..., Any]) -> Code | None:
    package = Path(digit_exp.__file__).parent
    try:
        lines, first = inspect.getsourcelines(function)
        file = Path(inspect.getsourcefile(function) or "")
    except (OSError, TypeError):  # typed into an interpreter, or a package without sources
        return None
    name = file.relative_to(package).as_posix() if file.is_relative_to(package) else file.name
    where = f"{name}, lines {first}–{first + len(lines) - 1}"
    return Code(where, textwrap.dedent("".join(lines)))
