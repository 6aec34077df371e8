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
from digit_exp.draw.explain import as_input, as_maps, weight_images
from digit_exp.draw.trace import backward, forward
from digit_exp.jit import Kernel
from digit_exp.nn.layers import Layer, Shape
from digit_exp.nn.losses import cross_entropy, softmax
from digit_exp.nn.network import Network
from digit_exp.nn.parameters import Kind
from digit_exp.optim.optimizers import Optimizer
from digit_exp.optim.regularizers import Regularizer

MOST_TILES, MOST_ROWS = 24, 256
"""Units whose weights are shown as images; rows and columns of a matrix that are shown."""

SYMBOLS = {"weight": "W", "bias": "b", "gamma": "γ", "beta": "β"}
"""The kinds of parameters, as equations name them."""


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
        show, last = _Pictures(network, self.shape), len(network.layers)
        text = "A training image as it is stored, without augmentation."
        first = Stage(
            "forward", "image", text, [show.sample("x", arrays[0], 0, is_pixels=True)], []
        )
        return [
            first,
            *(show.forward(place, *arrays[place : place + 2]) for place in range(last)),
            _loss(arrays[-1], loss.gradient, loss.mean, label),
            *(show.backward(place, *gradients[place : place + 2]) for place in range(last)[::-1]),
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
            show.parameter(f"change of W of {name.split('.')[0]}", name, is_gradient=False)
            for name in parameters.weight_names
        ]
        text = (
            f"{_about(self.optimizer)} With η = {lr:g} and an empty memory, this step takes the"
            f" loss of this image from {before:.4g} to {after:.4g}."
        )
        return Stage("update", "update", text, pictures, _sources(None, self.optimizer.rule))


def _loss(logits: Array, gradient: Array, loss: float, label: int) -> Stage:
    p = softmax(logits.copy())
    pictures = [
        _in_rows("z, the logits", logits[0]),
        _in_rows("p = softmax(z)", p[0]),
        _in_rows("q, the target", (p - gradient)[0]),
        _in_rows("∂loss/∂z = p − q", gradient[0]),
    ]
    text = f"loss = −Σ q log p = {loss:.4g} for the label {label}."
    return Stage("loss", "loss", text, pictures, _sources(None, cross_entropy))


class _Pictures:
    """Arrays of a network as pictures; of its first weights, the units with large gradients."""

    def __init__(self, network: Network, shape: tuple[int, int]) -> None:
        self.network, self.shape = network, shape
        self.first = network.parameters.weight_names[0]
        sizes = np.square(network.parameters.grad(self.first)).sum(axis=0)
        self.units = np.sort(np.argsort(-sizes, kind="stable")[:MOST_TILES])
        self.shapes: list[Shape] = [(*shape, 1), *network.shapes]

    def forward(self, place: int, x: Array, y: Array) -> Stage:
        """Return the stage of a layer in the forward pass."""
        name, layer = self.network.names[place], self.network.layers[place]
        pictures = [self.sample("x", x, place, is_pixels=place == 0)]
        pictures += [
            self.parameter(SYMBOLS.get(slot, slot), f"{name}.{slot}", is_gradient=False)
            for slot in layer.slots()
            if slot in ("weight", "bias")
        ]
        pictures.append(self.sample(_equation(layer, "y"), y, place + 1))
        return Stage("forward", name, _about(layer), pictures, _sources(layer, layer.forward))

    def backward(self, place: int, dx: Array, dy: Array) -> Stage:
        """Return the stage of a layer in the backward pass."""
        name, layer = self.network.names[place], self.network.layers[place]
        pictures = [self.sample("dy", dy, place + 1)]
        for slot, kept in layer.slots().items():
            if kept.kind is not Kind.buffer:
                equation = _equation(layer, f"∂{SYMBOLS.get(slot, slot)}")
                pictures.append(self.parameter(equation, f"{name}.{slot}", is_gradient=True))
        pictures.append(self.sample(_equation(layer, "dx"), dx, place))
        return Stage("backward", name, _about(layer), pictures, _sources(layer, layer.backward))

    def parameter(self, equation: str, name: str, *, is_gradient: bool) -> Picture:
        """Show the weights of the first layer as images, other matrices as they are."""
        parameters = self.network.parameters
        w = parameters.grad(name) if is_gradient else parameters.value(name)
        if w.ndim == 1:
            return _in_rows(equation, w.copy())
        size = " × ".join(map(str, w.shape))
        if name == self.first:
            images = weight_images(w[:, self.units], self.shape)
            some = f"{len(images)} units with the largest gradients"
            whose = "each unit" if len(images) == w.shape[1] else f"each of the {some}"
            return Picture(equation, images.copy(), f"{size}, an image for {whose}")
        part = w[:MOST_ROWS, :MOST_ROWS]
        some = "" if part.shape == w.shape else f", the first {len(part)} × {part.shape[1]}"
        return Picture(equation, part[None].copy(), size + some)

    def sample(
        self, equation: str, values: Array, place: int, *, is_pixels: bool = False
    ) -> Picture:
        """Show maps as images, other numbers in rows; `place` is that among the layers' inputs."""
        shape = self.shapes[place]
        if len(shape) == 1 and shape[0] == self.network.inputs:
            shape = (*self.shape, 1)
        maps = as_maps(values, shape)
        if maps.ndim == 1:
            return _in_rows(equation, maps)
        height, width, count = shape
        some = f", the first {MOST_TILES} of {count} maps" if count > MOST_TILES else ""
        caption = f"{height} × {width} pixels" if count == 1 else f"{count} maps"
        if some:
            caption = f"{height} × {width}{some}"
        return Picture(equation, maps[:MOST_TILES].copy(), caption, is_pixels)


def _in_rows(equation: str, numbers: Array) -> Picture:
    size = numbers.size
    columns = size if size <= 16 else 16 if size <= 256 else 32
    padded = np.full(-(-size // columns) * columns, np.nan, numbers.dtype)
    padded[:size] = numbers
    return Picture(equation, padded.reshape(1, -1, columns), f"{size} numbers")


def _about(thing: object) -> str:
    documented = inspect.getdoc(type(thing)) or type(thing).__name__
    return " ".join(documented.split("\n\n")[0].split())


def _equation(layer: Layer, left: str) -> str:
    """Return the equation of y, dx or a gradient that is in the layer's docstring."""
    documented = " ".join((inspect.getdoc(type(layer)) or "").split("\n"))
    stated = re.split(r";\s|,\s\s|\.(?:\s|$)", documented.partition(":  ")[2])
    for equation in stated:
        if re.match(rf"{left}(\[[^]]*\])? = ", equation.strip()):
            return equation.strip()
    return left


def _sources(layer: Layer | None, function: Callable[..., Any]) -> list[Code]:
    """Return the source of a function, of the layer's methods and of the kernels that it calls."""
    plain = getattr(function, "__func__", function)
    methods = (getattr(type(layer), name, None) for name in plain.__code__.co_names)
    found = [plain, *(m for m in methods if inspect.isfunction(m) and m is not Layer.reused)]
    called = (each.__globals__.get(name) for each in found for name in each.__code__.co_names)
    found += [kernel.plain for kernel in called if isinstance(kernel, Kernel)]
    return [code for code in map(_code, dict.fromkeys(found)) if code is not None]


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
