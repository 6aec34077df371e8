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
"""Units whose weights are shown as images, and rows or columns of a matrix that are shown."""

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
SLOTS = {
    "weight": ("W", "∂W = xᵀ dy"),
    "bias": ("b", "∂b = Σ dy"),
    "gamma": ("γ", "∂γ = Σ dy (x − μ) / √(σ² + ε)"),
    "beta": ("β", "∂β = Σ dy"),
}
"""Symbol and gradient of each kind of parameter."""


@dataclass(frozen=True)
class Picture:
    """An array to be shown: one or several images of the same size."""

    equation: str
    values: Array  # (tiles, rows, columns)
    caption: str
    is_pixels: bool = False
    """From black to white; others are signed."""


@dataclass(frozen=True)
class Code:
    """Lines of a function of this package, or of a registered class of one's own."""

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
    """A run's network and the way it is trained, for steps on single images."""

    network: Network
    shape: tuple[int, int]
    optimizer: Optimizer
    regularizer: Regularizer

    def stages(self, image: Pixels, label: int, rng: np.random.Generator) -> list[Stage]:
        """Return the stages of one step on an image, in the order in which they happen."""
        network = Network.from_spec(self.network.spec(), self.network.parameters.values.dtype)
        network.parameters.storage[:] = self.network.parameters.storage
        labels = np.array([label], np.intp)
        arrays = forward(network, as_input(network, image), rng)
        loss = cross_entropy(arrays[-1].copy(), labels, self.regularizer.label_smoothing)
        gradients = backward(network, loss.gradient)
        layers = list(zip(network.names, network.layers, strict=True))
        order = _most_changed(network)
        return [
            Stage("forward", "image", IMAGE, [self._pixels("x", arrays[0])], []),
            *(
                self._forward(name, layer, y, order)
                for (name, layer), y in zip(layers, arrays[1:], strict=True)
            ),
            self._loss(arrays[-1], loss.gradient, loss.mean, label),
            *(
                self._backward(name, layer, dx, network, order)
                for (name, layer), dx in reversed(list(zip(layers, gradients, strict=False)))
            ),
            self._update(network, image, labels, loss.mean, order),
        ]

    def _pixels(self, equation: str, x: Array) -> Picture:
        height, width = self.shape
        caption = f"{height} × {width} pixels, from 0 to 1"
        return Picture(equation, x.reshape(1, height, width), caption, is_pixels=True)

    def _forward(self, name: str, layer: Layer, y: Array, order: Sequence[int]) -> Stage:
        equations = _equations(layer)
        equation = equations[0] if equations else "y = f(x)"
        pictures = [self._vector(equation, y)]
        if isinstance(layer, Dense):
            pictures.insert(0, self._matrix("W", layer.w, order))
            pictures += [self._vector("b", layer.b)] if layer.bias else []
        return Stage("forward", name, _about(layer), pictures, _sources(layer, layer.forward))

    def _loss(self, logits: Array, gradient: Array, loss: float, label: int) -> Stage:
        p = softmax(logits.copy())
        q = p - gradient
        pictures = [
            self._vector("z, the logits", logits),
            self._vector("p = softmax(z)", p),
            self._vector("q, the target", q),
            self._vector("∂loss/∂z = p − q", gradient),
        ]
        text = f"loss = −Σ q log p = {loss:.4g} for the label {label}."
        return Stage("loss", "loss", text, pictures, _sources(None, cross_entropy))

    def _backward(
        self, name: str, layer: Layer, dx: Array, network: Network, order: Sequence[int]
    ) -> Stage:
        known = dict(e.split(" = ", 1) for e in _equations(layer) if " = " in e)
        rule = (
            f"dx = {known['dx']}" if "dx" in known else BACKWARD.get(layer.kind, "dx = dy · ∂y/∂x")
        )
        pictures = [
            self._slot(network, f"{name}.{slot}", order, gradient=True)
            for slot in layer.slots()
            if not slot.startswith("running_")
        ]
        pictures.append(self._vector(rule, dx))
        return Stage("backward", name, _about(layer), pictures, _sources(layer, layer.backward))

    def _update(
        self, network: Network, image: Pixels, labels: Labels, before: float, order: Sequence[int]
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
        parameters.storage -= old  # what the pictures show is the change
        pictures = [
            self._slot(network, name, order, gradient=False) for name in parameters.weight_names
        ]
        text = (
            f"{_first_paragraph(self.optimizer)} With η = {lr:g} and an empty memory, this step"
            f" takes the loss of this image from {before:.4g} to {after:.4g}."
        )
        return Stage("update", "update", text, pictures, _sources(None, self.optimizer.rule))

    def _slot(
        self, network: Network, name: str, order: Sequence[int], *, gradient: bool
    ) -> Picture:
        """Return the gradient of a parameter, or its value: after the step, its change."""
        parameters = network.parameters
        layer, slot = name.rsplit(".", 1)
        symbol, equation = SLOTS.get(slot, (slot, f"∂{slot}"))
        array = parameters.grad(name) if gradient else parameters.value(name)
        title = equation if gradient else f"change of {symbol} of {layer}"
        return self._matrix(title, array, order) if array.ndim == 2 else self._vector(title, array)

    def _matrix(self, equation: str, w: Array, order: Sequence[int]) -> Picture:
        """Show the weights of the first layer as images, other matrices as they are."""
        inputs, units = w.shape
        if inputs == self.network.inputs:
            chosen = [k for k in order if k < units]
            tiles = w.T[chosen].reshape(len(chosen), *self.shape)
            caption = f"{inputs} × {units}: an image for each of "
            some = f"the {len(chosen)} units with the largest gradients"
            return Picture(
                equation, tiles, caption + (some if len(chosen) < units else "the units")
            )
        shown = w[:MOST_ROWS, :MOST_ROWS]
        part = "" if shown.shape == w.shape else f", the first {len(shown)} × {shown.shape[1]}"
        return Picture(equation, shown[None], f"{inputs} × {units}{part}")

    def _vector(self, equation: str, values: Array) -> Picture:
        flat = values.reshape(-1)
        if flat.size == self.network.inputs:
            return Picture(equation, flat.reshape(1, *self.shape), f"{flat.size} numbers")
        columns = _columns(flat.size)
        padded = np.full(-(-flat.size // columns) * columns, np.nan, flat.dtype)
        padded[: flat.size] = flat
        caption = f"{flat.size} numbers"
        return Picture(equation, padded.reshape(1, -1, columns), caption)


IMAGE = "A training image as it is stored, without augmentation."


def _columns(size: int) -> int:
    return size if size <= 16 else 16 if size <= 256 else 32


def _most_changed(network: Network) -> list[int]:
    """Return the units of the first dense layer with the largest gradients, in their order."""
    first = next(layer for layer in network.layers if isinstance(layer, Dense))
    largest = np.argsort(-np.square(first.dw).sum(axis=0), kind="stable")[:MOST_TILES]
    return sorted(int(k) for k in largest)


def _about(layer: Layer) -> str:
    return _first_paragraph(layer)


def _first_paragraph(thing: object) -> str:
    documented = inspect.getdoc(type(thing)) or type(thing).__name__
    return " ".join(documented.split("\n\n")[0].split())


def _equations(layer: Layer) -> list[str]:
    """Return the equations at the end of a docstring, the first that of y."""
    text = inspect.getdoc(type(layer)) or ""
    _, colon, formulas = text.partition(":  ")
    found = re.split(r";\s|,\s\s|\.(?:\s|$)", " ".join(formulas.split("\n\n")[0].split("\n")))
    return [part.strip() for part in found if colon and part.strip()]


def _sources(layer: Layer | None, function: Callable[..., Any]) -> list[Code]:
    """Return the source of a function, of the layer's methods and of the kernels that it calls."""
    plain = getattr(function, "__func__", function)
    found = [plain]
    for name in plain.__code__.co_names:
        method = vars(type(layer)).get(name)
        if callable(method):
            found.append(method)
    names = [(each.__globals__, name) for each in found for name in each.__code__.co_names]
    called = (scope.get(name) for scope, name in names)
    found += [kernel.plain for kernel in called if isinstance(kernel, Kernel)]
    codes = (_code(each) for each in found)
    return [code for code in codes if code is not None]


@cache
def _code(function: Callable[..., Any]) -> Code | None:
    package = Path(digit_exp.__file__).parent
    try:
        lines, first = inspect.getsourcelines(function)
        file = Path(inspect.getsourcefile(function) or "")
    except (OSError, TypeError):  # typed into an interpreter, or a package without sources
        return None
    name = file.relative_to(package).as_posix() if file.is_relative_to(package) else file.name
    return Code(f"{name}, lines {first}–{first + len(lines) - 1}", textwrap.dedent("".join(lines)))
