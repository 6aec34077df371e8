"""The activations: functions of each number alone, with their derivatives.

They write y over x, and express the derivative by y wherever that is possible, so that nothing
else has to be kept. A registered class can be named in a configuration.
"""

from __future__ import annotations

import math

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.kernels import relu_backward
from digit_exp.nn.layers import Layer
from digit_exp.registry import Registry

ACTIVATIONS: Registry[Layer] = Registry("activation")


@ACTIVATIONS.register("relu")
class ReLU(Layer):
    """Rectified linear unit:  y = max(x, 0);  dx = dy if y > 0, else 0."""

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = np.maximum(x, 0, out=x)
        return self.y

    def backward(self, dy: Array) -> Array:
        relu_backward(self.y, dy)
        return dy


@ACTIVATIONS.register("leaky_relu")
class LeakyReLU(Layer):
    """Leaky rectified linear unit (Maas et al. 2013):  y = x if x > 0, else α x.

    dx = dy if y > 0, else α dy.
    """

    alpha: float = 0.01

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = np.maximum(x, self.alpha * x, out=x)
        return self.y

    def backward(self, dy: Array) -> Array:
        np.multiply(dy, self.alpha, out=dy, where=self.y <= 0)
        return dy


@ACTIVATIONS.register("elu")
class ELU(Layer):
    """Exponential linear unit (Clevert et al. 2016):  y = x if x > 0, else α (eˣ − 1).

    dx = dy if y > 0, else (y + α) dy.
    """

    alpha: float = 1.0

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        negative = self.alpha * np.expm1(np.minimum(x, 0))
        self.y = np.maximum(x, 0, out=x)
        self.y += negative
        return self.y

    def backward(self, dy: Array) -> Array:
        # For x ≤ 0 the slope α eˣ is y + α.
        np.multiply(dy, self.y + self.alpha, out=dy, where=self.y <= 0)
        return dy


@ACTIVATIONS.register("gelu")
class GELU(Layer):
    """Gaussian error linear unit (Hendrycks & Gimpel 2016):  y = x Φ(x), Φ the normal CDF.

    dx = dy · (Φ(x) + x φ(x)), with the normal density φ.
    """

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        from scipy.special import ndtr  # 0.1 s to import: only networks with GELU need it

        self.slope = slope = self.reused("slope", x.shape, x.dtype)
        cdf = ndtr(x)
        density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
        np.add(cdf, x * density, out=slope)
        self.y = np.multiply(x, cdf, out=x)
        return self.y

    def backward(self, dy: Array) -> Array:
        dy *= self.slope
        return dy


@ACTIVATIONS.register("tanh")
class Tanh(Layer):
    """Hyperbolic tangent:  y = tanh x;  dx = dy · (1 − y²)."""

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = np.tanh(x, out=x)
        return self.y

    def backward(self, dy: Array) -> Array:
        dy *= 1 - self.y * self.y
        return dy


@ACTIVATIONS.register("sigmoid")
class Sigmoid(Layer):
    """Logistic function:  y = 1 / (1 + e⁻ˣ);  dx = dy · y (1 − y)."""

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        x *= 0.5  # 1 / (1 + e⁻ˣ) = (1 + tanh(x/2)) / 2, which cannot overflow
        self.y = np.tanh(x, out=x)
        self.y += 1
        self.y *= 0.5
        return self.y

    def backward(self, dy: Array) -> Array:
        dy *= self.y * (1 - self.y)
        return dy
