"""Draws the pictures of docs/mathematics with the classes that they explain.

python docs/make/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digit_exp.data.sources import Mnist
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.convolution import AvgPool2D, Conv2D, GlobalAvgPool2D, MaxPool2D, SpatialDropout
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Layer, Standardize
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.parameters import Parameters
from digit_exp.optim.optimizers import OPTIMIZERS, Optimizer
from digit_exp.optim.regularizers import REGULARIZERS
from digit_exp.optim.schedules import SCHEDULES, Clock
from digit_exp.plots.parts.canvas import BLUE, GREEN, MUTED, STYLE, VERMILION, WIDTH

FOLDER = Path(__file__).parents[1] / "pictures" / "mathematics"
EPOCHS, STEPS = 20, 50
CURVATURE = np.array([1.0, 20.0])
RATES = {"sgd": 0.09, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.1, "lion": 0.15}
"""Learning rates that suit the valley; 0.3 for optimizers with a rate for each number."""


def grid(count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels."""
    rows = -(-count // columns)
    figure = Figure((WIDTH, height * rows), dpi=120, layout="constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    return figure, axes


def activations() -> Figure:
    """Draw each activation with its derivative."""
    figure, axes = grid(len(ACTIVATIONS.names()), 3, 2.3)
    x = np.linspace(-4, 4, 401)
    for ax, name in zip(axes, ACTIVATIONS.names(), strict=True):
        layer = ACTIVATIONS[name]()
        y = layer.forward(x.copy()).copy()
        ax.plot(x, y, color=BLUE, label="y")
        ax.plot(x, layer.backward(np.ones_like(x)), color=VERMILION, label="y′")
        ax.set_title(name)
        ax.set_ylim(-1.4, 4)
    axes[0].legend(loc="upper left")
    return figure


def loss() -> Figure:
    """Draw loss and gradient of two classes by the margin of the right one."""
    figure, axes = grid(2, 2, 2.8)
    margins = np.linspace(-6, 8, 281)
    for smoothing, colour in ((0.0, BLUE), (0.1, VERMILION), (0.3, GREEN)):
        found = [
            cross_entropy(np.array([[m, 0.0]]), np.array([0]), smoothing=smoothing) for m in margins
        ]
        axes[0].plot(
            margins, [each.mean for each in found], color=colour, label=f"ε = {smoothing:g}"
        )
        axes[1].plot(margins, [each.gradient[0, 0] for each in found], color=colour)
    axes[0].set_title("loss")
    axes[1].set_title("gradient with respect to the right logit")
    axes[1].axhline(0, color=MUTED, linewidth=0.8)
    for ax in axes:
        ax.set_xlabel("logit of the right class − logit of the other")
    axes[0].legend()
    return figure


def optimizers() -> Figure:
    """Draw the way of each optimizer down a narrow valley."""
    figure, axes = grid(len(OPTIMIZERS.names()), 3, 2.3)
    x, y = np.meshgrid(np.linspace(-4.4, 1.4, 120), np.linspace(-1.6, 1.6, 80))
    height = np.sqrt((CURVATURE[0] * x**2 + CURVATURE[1] * y**2) / 2)
    for ax, name in zip(axes, OPTIMIZERS.names(), strict=True):
        ax.contour(x, y, height, levels=12, colors="#D5D9DE", linewidths=0.7)
        way = np.array(list(path(OPTIMIZERS[name](lr=RATES.get(name, 0.3)))))
        ax.plot(*way.T, color=BLUE, linewidth=1, marker="o", markersize=2)
        ax.plot(0, 0, color=VERMILION, marker="x")
        ax.set(title=name, xlim=(-4.4, 1.4), ylim=(-1.6, 1.6))
        ax.grid(visible=False)
    return figure


def path(optimizer: Optimizer) -> Iterator[np.ndarray]:
    """Yield the points of forty steps."""
    theta = np.array([-4.0, 1.3])
    slots = optimizer.init(2, theta.dtype)
    yield theta.copy()
    for step in range(1, 41):
        optimizer.update(theta, CURVATURE * theta, slots, optimizer.lr, step)
        yield theta.copy()


def schedules() -> Figure:
    """Draw the factor of each schedule."""
    figure, axes = grid(len(SCHEDULES.names()), 4, 2.1)
    for ax, name in zip(axes, SCHEDULES.names(), strict=True):
        schedule = SCHEDULES[name]()
        memory, factors = schedule.init(), []
        for step in range(EPOCHS * STEPS):
            clock = Clock(step, STEPS, EPOCHS)
            if step and step % STEPS == 0:
                schedule.observe(memory, {"val_loss": max(1 - 0.1 * clock.epoch, 0.3)})
            factors.append(schedule.factor(clock, memory))
        ax.plot(np.arange(EPOCHS * STEPS) / STEPS, factors, color=BLUE)
        ax.set(title=name, ylim=(0, 1.05), xticks=[0, 5, 10, 15, 20])
    return figure


def penalties() -> Figure:
    """Draw what each penalty adds to the loss and to the gradient of one weight."""
    figure, axes = grid(2, 2, 2.6)
    weights = np.linspace(-1.5, 1.5, 301)
    strengths = {"l1": (1.0, 0.0), "l2": (0.0, 1.0), "elastic_net": (0.5, 0.5)}
    for (name, (l1, l2)), colour in zip(strengths.items(), (BLUE, VERMILION, GREEN), strict=True):
        penalty = REGULARIZERS[name](l1=l1, l2=l2)
        gradient = np.zeros_like(weights)
        penalty.add_gradient(weights, gradient)
        label = f"{name}: λ₁ = {l1:g}, λ₂ = {l2:g}"
        axes[0].plot(
            weights, [penalty.penalty(w[None]) for w in weights], color=colour, label=label
        )
        axes[1].plot(weights, gradient, color=colour)
    axes[0].set_title("what a weight adds to the loss")
    axes[1].set_title("what it adds to its gradient")
    axes[0].legend()
    return figure


def layers() -> Figure:
    """Draw a digit, and what each layer makes of it."""
    digits = np.asarray(Mnist().load().train.images[:64], np.float64).reshape(64, -1) / 255
    size = {"height": 28, "width": 28, "channels": 1}
    edges = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], float)
    made: list[tuple[str, Layer, tuple[int, ...]]] = [
        ("Standardize", Standardize(0.13, 0.31), (28, 28)),
        ("Dense, 100 random units", Dense(784, 100), (10, 10)),
        ("BatchNorm", BatchNorm(784), (28, 28)),
        ("Dropout, p = 0.5", Dropout(0.5), (28, 28)),
        ("Conv2D, a filter for edges", Conv2D(**size, filters=1, padding=1), (28, 28)),
        ("MaxPool2D", MaxPool2D(**size), (14, 14)),
        ("AvgPool2D", AvgPool2D(**size), (14, 14)),
        ("GlobalAvgPool2D", GlobalAvgPool2D(**size), (1, 1)),
        ("SpatialDropout", SpatialDropout(0.5), (28, 28)),
    ]
    figure, axes = grid(len(made) + 1, 5, 2.1)
    axes[0].imshow(digits[0].reshape(28, 28), cmap="gray_r")
    axes[0].set_title("input")
    for ax, (title, layer, shape) in zip(axes[1:], made, strict=True):
        parameters = Parameters({f"0.{k}": v for k, v in layer.slots().items()}, np.dtype(float))
        layer.bind("0", parameters)
        layer.initialize(np.random.Generator(np.random.PCG64(2)))
        if isinstance(layer, Conv2D):
            layer.w[...] = edges.reshape(9, 1)
        y = layer.forward(digits.copy(), np.random.Generator(np.random.PCG64(3)))
        image = y[0].reshape(shape)
        signed = image.min() < -1e-9
        bound = np.abs(image).max() or 1.0
        limits = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound} if signed else {"cmap": "gray_r"}
        ax.imshow(image, **limits) if signed else ax.imshow(image, vmin=0, vmax=1, **limits)
        ax.set_title(title)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    return figure


def main(folder: Path = FOLDER) -> None:
    """Write all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({**STYLE, "axes.titlesize": 9.5}):
        for draw in (activations, layers, loss, optimizers, penalties, schedules):
            draw().savefig(folder / f"{draw.__name__}.png", metadata={"Software": None})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
