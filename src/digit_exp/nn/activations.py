"""The activations: functions of each number alone, with their derivatives.

They work in place, on the output of the layer before, and express the derivative through their
own output wherever that is possible, so that nothing else has to be kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.layers import Layer
from digit_exp.nn.workspace import Workspace


@dataclass(eq=False)
class ReLU(Layer):
    """Rectified linear unit:  y = max(x, 0)."""

    def forward(self, rows: slice) -> None:
        x = self.y[rows]
        np.maximum(x, 0, out=x)

    def backward(self, rows: slice) -> None:
        self.dy[rows] *= self.y[rows] > 0


@dataclass(eq=False)
class LeakyReLU(Layer):
    """Leaky rectified linear unit (Maas et al. 2013):  y = x if x > 0, else α x."""

    alpha: float = 0.01

    def forward(self, rows: slice) -> None:
        x = self.y[rows]
        np.maximum(x, self.alpha * x, out=x)

    def backward(self, rows: slice) -> None:
        dy = self.dy[rows]
        np.multiply(dy, self.alpha, out=dy, where=self.y[rows] <= 0)


@dataclass(eq=False)
class ELU(Layer):
    """Exponential linear unit (Clevert et al. 2016):  y = x if x > 0, else α (eˣ − 1)."""

    alpha: float = 1.0

    def forward(self, rows: slice) -> None:
        x = self.y[rows]
        negative = self.alpha * np.expm1(np.minimum(x, 0))
        np.maximum(x, 0, out=x)
        x += negative

    def backward(self, rows: slice) -> None:
        # For x ≤ 0 the slope α eˣ is y + α.
        y, dy = self.y[rows], self.dy[rows]
        np.multiply(dy, y + self.alpha, out=dy, where=y <= 0)


@dataclass(eq=False)
class GELU(Layer):
    """Gaussian error linear unit (Hendrycks & Gimpel 2016):  y = x Φ(x), Φ the normal CDF."""

    def __post_init__(self) -> None:
        self._slope = Workspace()

    def begin(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.slope = self._slope(x.shape, x.dtype)
        return super().begin(x, rng)

    def forward(self, rows: slice) -> None:
        from scipy.special import ndtr  # 0.1 s to import: only who asks for GELU pays

        x = self.y[rows]
        cdf = ndtr(x)
        density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
        np.add(cdf, x * density, out=self.slope[rows])
        x *= cdf

    def backward(self, rows: slice) -> None:
        self.dy[rows] *= self.slope[rows]


@dataclass(eq=False)
class Tanh(Layer):
    """Hyperbolic tangent:  y = tanh x,  y′ = 1 − y²."""

    def forward(self, rows: slice) -> None:
        x = self.y[rows]
        np.tanh(x, out=x)

    def backward(self, rows: slice) -> None:
        y = self.y[rows]
        self.dy[rows] *= 1 - y * y


@dataclass(eq=False)
class Sigmoid(Layer):
    """Logistic function:  y = 1 / (1 + e⁻ˣ),  y′ = y (1 − y)."""

    def forward(self, rows: slice) -> None:
        x = self.y[rows]
        x *= 0.5  # 1 / (1 + e⁻ˣ) = (1 + tanh(x/2)) / 2, which cannot overflow
        np.tanh(x, out=x)
        x += 1
        x *= 0.5

    def backward(self, rows: slice) -> None:
        y = self.y[rows]
        self.dy[rows] *= y * (1 - y)


ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}
