"""Layers for images: convolution, pooling, and dropout of whole maps.

A sample is a row of `height · width · channels` numbers, channels last, so a grey image is a row of
its pixels. A map is what one filter makes of an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

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
from digit_exp.threads import in_parts

PATCHES = 2**18
"""Numbers in the patches of a block of images: 1 MB, which stays in a core's own cache."""


def windows(height: int, width: int, size: int, stride: int) -> tuple[int, int]:
    """Return how many windows of `size` × `size` fit into a map, down and across."""
    return (height - size) // stride + 1, (width - size) // stride + 1


class Conv2D(WeightAndBias, Layer):
    """A convolution:  y[p, q] = Σᵢⱼ x[s p + i, s q + j] W[i, j] + b, with x padded by zeros.

    As products of matrices: each row of P is the patch of x that one place of y sees, and then
    y = P W + b;  ∂W = Pᵀ dy,  ∂b = Σ dy,  dP = dy Wᵀ,  dx = Σ dP where P was taken from.
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
    in_blocks = True

    def __post_init__(self) -> None:
        self.init = Init(self.init)
        self.weight_shape = self.kernel_size**2 * self.channels, self.filters
        self.uses = self.kernel_size**2
        self.multiply_adds = math.prod((*self._patch_shape[:2], *self.weight_shape))

    def output_shape(self, shape: Shape) -> Shape:
        size, by = self.kernel_size, 2 * self.padding
        return *windows(self.height + by, self.width + by, size, self.stride), self.filters

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        height, width, filters = self.output_shape(())
        self.y = y = self.reused("y", (len(x), height * width * filters), x.dtype)

        def forward_part(part: slice) -> None:
            for rows, patches in self._patches(x, part):
                places = y[rows].reshape(-1, filters)
                np.matmul(patches, self.w, out=places)
                if self.bias:
                    places += self.b

        in_parts(len(x), forward_part)
        return y

    def backward(self, dy: Array) -> Array:
        self.dx = dx = self.reused("dx", self.x.shape, dy.dtype)
        self._gradients(dy, dx)
        return dx

    def parameter_gradients(self, dy: Array) -> None:
        self._gradients(dy, None)

    def _gradients(self, dy: Array, dx: Array | None) -> None:
        def gradient_of_part(part: slice) -> Array:
            dw = np.zeros_like(self.dw)
            for rows, patches in self._patches(self.x, part):
                places = dy[rows].reshape(-1, self.filters)
                dw += patches.T @ places
                if dx is not None:
                    np.matmul(places, self.w.T, out=patches)  # dP takes the place of P
                    self._fold(patches, dx[rows])
            return dw

        self.dw[...] = sum(in_parts(len(dy), gradient_of_part))
        if self.bias:
            np.add.reduce(dy.reshape(-1, self.filters), axis=0, out=self.db)

    def _patches(self, x: Array, part: slice) -> Iterator[tuple[slice, Array]]:
        """Yield blocks of samples, and their patches `(samples · places, kernel² · channels)`."""
        inputs, places = len(self.w), math.prod(self._patch_shape[:2])
        count = max(1, min(part.stop - part.start, PATCHES // (places * inputs)))
        kept = np.empty((count, *self._patch_shape), x.dtype)
        padded = self._padded(count, x.dtype)
        for start in range(part.start, part.stop, count):
            rows = slice(start, min(start + count, part.stop))
            images, patches = padded[: rows.stop - start], kept[: rows.stop - start]
            self._inner(images)[...] = x[rows].reshape(-1, self.height, self.width, self.channels)
            unfold(images, self.stride, patches)
            yield rows, patches.reshape(-1, inputs)

    @property
    def _patch_shape(self) -> Shape:
        """Of one sample: its places, and the rows of a patch."""
        height, width, _ = self.output_shape(())
        return height, width, self.kernel_size, self.kernel_size * self.channels

    def _padded(self, count: int, dtype: DTypeLike) -> Array:
        by = 2 * self.padding
        return np.zeros((count, self.height + by, self.width + by, self.channels), dtype)

    def _inner(self, padded: Array) -> Array:
        by = self.padding
        return padded[:, by : by + self.height, by : by + self.width]

    def _fold(self, patches: Array, dx: Array) -> None:
        padded = self._padded(len(dx), dx.dtype)
        fold(patches.reshape(len(dx), *self._patch_shape), self.stride, padded)
        inner = self._inner(padded)
        dx.reshape(inner.shape)[...] = inner


class MaxPool2D(Layer):
    """The largest number of each window:  y[p, q] = maxᵢⱼ x[s p + i, s q + j].

    dx = Σ dy of the windows where x is the largest, else 0.
    """

    height: int
    width: int
    channels: int
    size: int = 2
    stride: int = 2

    def __post_init__(self) -> None:
        self.chosen = np.empty(0, np.int32)

    def output_shape(self, shape: Shape) -> Shape:
        return *windows(self.height, self.width, self.size, self.stride), self.channels

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


class AvgPool2D(Layer):
    """The mean of each window:  y[p, q] = Σᵢⱼ x[s p + i, s q + j] / size².

    dx = Σ dy / size² over the windows.
    """

    height: int
    width: int
    channels: int
    size: int = 2
    stride: int = 2

    def output_shape(self, shape: Shape) -> Shape:
        return *windows(self.height, self.width, self.size, self.stride), self.channels

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


class GlobalAvgPool2D(Layer):
    """The mean of each map (Lin et al. 2013):  y = Σ_pq x[p, q] / (height · width).

    dx = dy / (height · width).
    """

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


class SpatialDropout(Dropout):
    """Dropout of whole maps (Tompson et al. 2015).

    Neighbours in a map are alike:  y = x · m / (1 − rate);  dx = dy · m / (1 − rate).
    """

    channels: int = 1

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        noise = rng.random((shape[0], 1, self.channels), np.float32)
        return np.repeat(noise, shape[1] // self.channels, axis=1).reshape(shape)
