"""The builder that puts a network together layer by layer."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.convolution import AvgPool2D, Conv2D, GlobalAvgPool2D, MaxPool2D, SpatialDropout
from digit_exp.nn.initializers import Init
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Layer, Shape, Standardize
from digit_exp.nn.network import Network
from digit_exp.nn.prediction_averaging import ShiftAveraging
from digit_exp.registry import ConfigError, Range, did_you_mean
from digit_exp.rng import Rng


class NetworkBuilder:
    """Put a network together layer by layer.

    >>> network = NetworkBuilder().input(784).dense(128, activation="relu").dense(10).build()
    >>> len(network.parameters)
    101770

    Layers for images need their height and width:

    >>> builder = NetworkBuilder().input(28, 28).conv(8, 3, activation="relu").max_pool(2)
    >>> len(builder.dense(10).build().parameters)
    13610
    """

    def __init__(self) -> None:
        self._image: Shape = ()
        self._shape: Shape = ()
        self._shift_averaging: ShiftAveraging | None = None
        self._layers: list[Layer] = []
        self._is_complete = False

    def input(self, size: int, *width: int) -> Self:
        """Say how many pixels an image has, or its height and width."""
        self._image = (size, *width)
        for side in self._image:
            _require("size", side, Range(ge=1))
        self._shape = (*self._image, 1) if len(self._image) == 2 else (math.prod(self._image),)
        return self

    def shift_averaging(self, pixels: int) -> Self:
        """Average predictions over an image and four copies shifted by `pixels`; 0: do not."""
        if not pixels:
            self._shift_averaging = None
        elif len(self._image) == 2:
            self._shift_averaging = ShiftAveraging(self._image[0], self._image[1], pixels)
        else:
            raise ConfigError.at("shifts", "needs the height and width in input(...)")
        return self

    def standardize(self, mean: float, std: float) -> Self:
        """Shift and scale the pixels by the statistics of the training set."""
        return self._add(Standardize(mean, std))

    def dense(
        self,
        units: int,
        activation: str | None = None,
        *,
        init: Init | str = Init.he_normal,
        batch_norm: bool = False,
    ) -> Self:
        """Add a fully connected layer, then batch normalisation and an activation if wanted.

        `activation="softmax"` is for the last layer and adds nothing: the loss and `predict_proba`
        apply the softmax themselves.
        """
        _require("units", units, Range(ge=1))
        inputs = math.prod(self._shape)
        self._add(Dense(inputs, units, _init(init), bias=not batch_norm))
        return self._then(units, batch_norm, activation)

    def conv(
        self,
        filters: int,
        kernel_size: int = 3,
        activation: str | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        init: Init | str = Init.he_normal,
        batch_norm: bool = False,
    ) -> Self:
        """Add a convolution, then batch normalisation and an activation if wanted.

        `padding` is how many rows and columns of zeros are put around each map. With
        `(kernel_size - 1) / 2` and a stride of 1, maps keep their size.
        """
        _require("filters", filters, Range(ge=1))
        _require("padding", padding, Range(ge=0))
        maps = self._maps("a convolution", kernel_size, stride, padding)
        conv = Conv2D(*maps, filters, kernel_size, stride, padding, _init(init), not batch_norm)
        return self._add(conv)._then(filters, batch_norm, activation)

    def max_pool(self, size: int = 2, stride: int | None = None) -> Self:
        """Keep the largest number of each window; `stride` is `size` unless told otherwise."""
        stride = stride or size
        return self._add(MaxPool2D(*self._maps("pooling", size, stride), size, stride))

    def avg_pool(self, size: int = 2, stride: int | None = None) -> Self:
        """Keep the mean of each window; `stride` is `size` unless told otherwise."""
        stride = stride or size
        return self._add(AvgPool2D(*self._maps("pooling", size, stride), size, stride))

    def global_avg_pool(self) -> Self:
        """Keep the mean of each map."""
        return self._add(GlobalAvgPool2D(*self._maps("pooling", 1, 1)))

    def dropout(self, rate: float) -> Self:
        """Drop a share of the activations of the layer before; 0 adds nothing."""
        _require("rate", rate, Range(ge=0, lt=1))
        return self._add(Dropout(rate)) if rate else self

    def spatial_dropout(self, rate: float) -> Self:
        """Drop a share of the maps of the layer before; 0 adds nothing."""
        _require("rate", rate, Range(ge=0, lt=1))
        _, _, channels = self._maps("spatial dropout", 1, 1)
        return self._add(SpatialDropout(rate, channels)) if rate else self

    def build(self, seed: int = 42, dtype: DTypeLike = np.float32) -> Network:
        """Return a network of its own, with initial weights drawn from `seed`."""
        layers, averaging = deepcopy(self._layers), self._shift_averaging
        network = Network(math.prod(self._image), layers, dtype, averaging)
        network.initialize(Rng(seed)("init"))
        return network

    def _then(self, units: int, batch_norm: bool, activation: str | None) -> Self:
        if batch_norm:
            self._add(BatchNorm(units))
        if activation == "softmax":
            self._is_complete = True
        elif activation is not None:
            _require_known("activation", activation, [*ACTIVATIONS.names(), "softmax"])
            self._add(ACTIVATIONS[activation]())
        return self

    def _maps(self, what: str, size: int, stride: int, padding: int = 0) -> tuple[int, int, int]:
        """Return height, width and channels of the maps so far, into which windows must fit."""
        _require("size", size, Range(ge=1))
        _require("stride", stride, Range(ge=1))
        if len(self._shape) != 3:
            message = f"{what} needs maps: say input(height, width), and add it before dense layers"
            raise ConfigError.at("", message)
        height, width, channels = self._shape
        if size > min(height, width) + 2 * padding:
            sides = f"{height} × {width}"
            message = f"{what} of {size} × {size} does not fit into maps of {sides}"
            raise ConfigError.at("size", f"{message}. Use a smaller one, or fewer layers")
        return height, width, channels

    def _add(self, layer: Layer) -> Self:
        if not self._shape:
            raise ConfigError.at("", "say input(size) before the first layer")
        if self._is_complete:
            raise ConfigError.at("activation", "'softmax' is for the last layer only")
        self._shape = layer.output_shape(self._shape)
        self._layers.append(layer)
        return self


def _init(init: Init | str) -> Init:
    if isinstance(init, str):
        _require_known("init", init, list(Init.__members__))
        return Init[init]
    return init


def _require(name: str, value: float, limits: Range) -> None:
    if value not in limits:
        raise ConfigError.at(name, limits.refusal(value, repr(value)))


def _require_known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        message = f"unknown {what} {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}"
        raise ConfigError.at(what, message)
