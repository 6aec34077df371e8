"""Layers for images: convolution, pooling, and dropout of whole maps.

A sample is a row of `height · width · channels` numbers, channels last, so a grey image is a row of
its pixels. A map is what one filter makes of an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.initializers import Init
from digit_exp.nn.kernels import (
    average_pool,
    average_pool_backward,
    fold,
    max_pool,
    max_pool_backward,
    unfold,
)
from digit_exp.nn.layers import Dropout, Layer, Shape, WeightAndBias

PATCHES = 2**18
"""Numbers in the patches of a block of images: 1 MB, which stays in a core's own cache."""


def output_side(side: int, size: int, stride: int, padding: int = 0) -> int:
    """Return how many windows of `size` fit into a side; 0 or less if none does."""
    return (side + 2 * padding - size) // stride + 1


@dataclass(eq=False)
class Conv2D(WeightAndBias, Layer):
    """A convolution:  y[p, q] = Σᵢⱼ x[s p + i, s q + j] W[i, j] + b, with x padded by zeros.

    As products of matrices: each row of P is the patch of x that one place of y sees, and then
    y = P W + b;  ∂W = Pᵀ dy,  ∂b = Σ dy,  dP = dy Wᵀ, and dx adds up dP where P was taken from.
    """

    height: int
    width: int
    channels: int
    filters: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0
    init: Init = Init.he_normal
    bias: bool = True

    def __post_init__(self) -> None:
        self.init = Init(self.init)
        self.weight_shape = self.kernel_size**2 * self.channels, self.filters

    def output_shape(self, shape: Shape) -> Shape:
        sides = (self.height, self.width)
        out = (output_side(side, self.kernel_size, self.stride, self.padding) for side in sides)
        return (*out, self.filters)

    @property
    def multiply_adds(self) -> int:
        height, width, filters = self.output_shape(())
        return height * width * filters * self.kernel_size**2 * self.channels

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        height, width, filters = self.output_shape(())
        self.y = y = self.reused("y", (len(x), height * width * filters), x.dtype)
        for rows, patches in self._patches(x):
            np.matmul(patches, self.w, out=y[rows].reshape(-1, filters))
        if self.bias:
            places = y.reshape(-1, filters)
            places += self.b
        return y

    def backward(self, dy: Array) -> Array:
        self.dx = dx = self.reused("dx", self.x.shape, dy.dtype)
        self._gradients(dy, dx)
        return dx

    def parameter_gradients(self, dy: Array) -> None:
        self._gradients(dy, None)

    def _gradients(self, dy: Array, dx: Array | None) -> None:
        self.dw[...] = 0
        for rows, patches in self._patches(self.x):
            places = dy[rows].reshape(-1, self.filters)
            self.dw += patches.T @ places
            if dx is not None:
                np.matmul(places, self.w.T, out=patches)  # dP takes the place of P
                self._fold(patches, dx[rows])
        if self.bias:
            np.add.reduce(dy.reshape(-1, self.filters), axis=0, out=self.db)

    def _patches(self, x: Array) -> Iterator[tuple[slice, Array]]:
        """Yield blocks of samples, and their patches `(samples · places, kernel² · channels)`."""
        height, width, _ = self.output_shape(())
        places, inputs = height * width, len(self.w)
        count = max(1, min(len(x), PATCHES // (places * inputs)))
        shape = (count, height, width, self.kernel_size, self.kernel_size * self.channels)
        self.patches = self.reused("patches", shape, x.dtype)
        for start in range(0, len(x), count):
            rows = slice(start, min(start + count, len(x)))
            patches = self.patches[: rows.stop - start]
            unfold(self._padded(x[rows]), self.stride, patches)
            yield rows, patches.reshape(-1, inputs)

    def _padded(self, x: Array) -> Array:
        by, images = self.padding, x.reshape(-1, self.height, self.width, self.channels)
        return np.pad(images, ((0, 0), (by, by), (by, by), (0, 0))) if by else images

    def _fold(self, patches: Array, dx: Array) -> None:
        by = self.padding
        sides = (self.height + 2 * by, self.width + 2 * by)
        padded = np.zeros((len(dx), *sides, self.channels), dx.dtype)
        fold(patches.reshape(len(dx), *self.patches.shape[1:]), self.stride, padded)
        inner = padded[:, by : by + self.height, by : by + self.width]
        dx.reshape(inner.shape)[...] = inner


@dataclass(eq=False)
class MaxPool2D(Layer):
    """The largest number of each window:  y[p, q] = maxᵢⱼ x[s p + i, s q + j]."""

    height: int
    width: int
    channels: int
    size: int = 2
    stride: int = 2

    def __post_init__(self) -> None:
        self.chosen = np.empty(0, np.int32)

    def output_shape(self, shape: Shape) -> Shape:
        sides = (self.height, self.width)
        return (*(output_side(side, self.size, self.stride) for side in sides), self.channels)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        images = x.reshape(-1, self.height, self.width, self.channels)
        shape = (len(x), *self.output_shape(()))
        self.y = y = self.reused("y", shape, x.dtype)
        if self.chosen.shape != shape:
            self.chosen = np.empty(shape, np.int32)
        max_pool(images, self.size, self.stride, y, self.chosen)
        return y.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        shape = (len(dy), self.height * self.width, self.channels)
        self.dx = dx = self.reused("dx", shape, dy.dtype)
        dx[...] = 0
        max_pool_backward(dy.reshape(self.chosen.shape), self.chosen, dx)
        return dx.reshape(len(dy), -1)


@dataclass(eq=False)
class AvgPool2D(Layer):
    """The mean of each window:  y[p, q] = Σᵢⱼ x[s p + i, s q + j] / size²."""

    height: int
    width: int
    channels: int
    size: int = 2
    stride: int = 2

    def output_shape(self, shape: Shape) -> Shape:
        sides = (self.height, self.width)
        return (*(output_side(side, self.size, self.stride) for side in sides), self.channels)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        images = x.reshape(-1, self.height, self.width, self.channels)
        self.y = y = self.reused("y", (len(x), *self.output_shape(())), x.dtype)
        average_pool(images, self.size, self.stride, y)
        return y.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        shape = (len(dy), self.height, self.width, self.channels)
        self.dx = dx = self.reused("dx", shape, dy.dtype)
        dx[...] = 0
        average_pool_backward(dy.reshape(self.y.shape), self.size, self.stride, dx)
        return dx.reshape(len(dy), -1)


@dataclass(eq=False)
class GlobalAvgPool2D(Layer):
    """The mean of each map (Lin et al. 2013):  y = Σ_pq x[p, q] / (height · width)."""

    height: int
    width: int
    channels: int

    def output_shape(self, shape: Shape) -> Shape:
        return (self.channels,)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        y: Array = x.reshape(len(x), -1, self.channels).mean(axis=1)
        return y

    def backward(self, dy: Array) -> Array:
        places = self.height * self.width
        return np.repeat(dy[:, None] / places, places, axis=1).reshape(len(dy), -1)


@dataclass(eq=False)
class SpatialDropout(Dropout):
    """Dropout of whole maps (Tompson et al. 2015): neighbours in a map are alike."""

    channels: int = 1

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        noise = rng.random((shape[0], 1, self.channels), np.float32)
        return np.repeat(noise, shape[1] // self.channels, axis=1).reshape(shape)
