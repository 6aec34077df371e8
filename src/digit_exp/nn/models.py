"""The models that a configuration can name. Each says how a network of its kind is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.initializers import Init
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.registry import (
    Component,
    ConfigError,
    Count,
    CountOrZero,
    Fraction,
    Problem,
    Registry,
)

Activation = Enum("Activation", {name: name for name in ACTIVATIONS.names()})  # type: ignore[misc]
"""The activations of hidden layers: all that are registered."""


Pool = Enum("Pool", {"max": "max", "average": "average", "stride": "stride"})
"""How a block of a convolutional network halves its maps."""


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Mean and standard deviation of the training pixels in [0, 1]."""

    mean: float
    std: float


class AnyModel(Component):
    """What `model` can name: a `Model` builds a network, a `LearnerModel` has one of its own."""

    def build(
        self,
        inputs: int | tuple[int, int],
        classes: int,
        *,
        seed: int,
        dropout: float = 0.0,
        standardize: PixelStatistics | None = None,
    ) -> Network | Learner:
        """Return what is trained, for images of `inputs` pixels, as it is before training."""
        raise NotImplementedError


class LearnerModel(AnyModel):
    """A model of another library: its fields are its configuration, `learner` makes it.

    It reads neither optimizer, schedule nor regularization; augmentation and batches it does.
    """

    def learner(self, shape: tuple[int, int], classes: int, seed: int) -> Learner:
        """Return the model before training, for images of `shape`: height and width."""
        raise NotImplementedError

    def build(
        self, inputs: int | tuple[int, int], classes: int, *, seed: int, **_: object
    ) -> Learner:
        """Return the learner; what only a network can use is not given to it."""
        return self.learner((1, inputs) if isinstance(inputs, int) else inputs, classes, seed)


class Model(AnyModel):
    """How to build a network for images of `inputs` pixels and `classes` classes."""

    shifts: CountOrZero = 0
    """Average predictions over the image and 4 copies shifted so many pixels; 0: do not."""
    copies: CountOrZero = 0
    """Decide over so many copies deformed as the augmentation does, too; 0: do not."""

    def build(
        self,
        inputs: int | tuple[int, int],
        classes: int,
        *,
        seed: int,
        dropout: float = 0.0,
        standardize: PixelStatistics | None = None,
    ) -> Network:
        """Return a network with initial weights drawn from `seed`.

        `inputs` may be the height and width of an image; `shifts` must know them.
        `standardize` puts the pixels' statistics into the network itself, so that whoever loads it
        feeds plain pixels.
        """
        shape = (inputs,) if isinstance(inputs, int) else inputs
        builder = NetworkBuilder().input(*shape).shift_averaging(self.shifts)
        if standardize is not None:
            builder.standardize(standardize.mean, standardize.std)
        self.add_layers(builder, classes, dropout)
        return builder.build(seed)

    def add_layers(self, builder: NetworkBuilder, classes: int, dropout: float) -> None:
        """Add all layers from the first to the logits."""
        raise NotImplementedError


MODELS: Registry[AnyModel] = Registry("model")


@MODELS.register("linear")
class Linear(Model):
    """Softmax regression:  p = softmax(x W + b). The baseline for everything with hidden layers."""

    init: Init = Init.glorot_uniform

    def add_layers(self, builder: NetworkBuilder, classes: int, dropout: float) -> None:
        builder.dropout(dropout).dense(classes, init=self.init)


@MODELS.register("mlp")
class MLP(Model):
    """Multilayer perceptron: dense layers of `hidden` widths, each with activation and dropout."""

    hidden: list[Count] = field(default_factory=lambda: [128, 64])
    activation: Activation = Activation["relu"]
    init: Init = Init.he_normal
    batch_norm: bool = False

    def add_layers(self, builder: NetworkBuilder, classes: int, dropout: float) -> None:
        for units in self.hidden:
            builder.dense(
                units, self.activation.value, init=self.init, batch_norm=self.batch_norm
            ).dropout(dropout)
        builder.dense(classes, init=self.init)


@MODELS.register("cnn")
class CNN(MLP):
    """Convolutional network: blocks of convolutions, each ended by pooling, then an MLP.

    `filters` are the widths of the blocks; each has `depth` convolutions that keep the size of
    their maps and a pooling that halves it. With `pool=stride` the last of the convolutions halves
    it, at every other place, which is a quarter of its work. With `global_pool` the mean of each
    map goes to the dense layers. Maps have no dropout of single units: `map_dropout` drops whole
    maps.
    """

    filters: list[Count] = field(default_factory=lambda: [16, 32])
    depth: Count = 1
    kernel_size: Count = 3
    pool: Pool = Pool.max
    global_pool: bool = False
    hidden: list[Count] = field(default_factory=lambda: [128])
    map_dropout: Fraction = 0.0

    def conflicts(self) -> Iterator[Problem]:
        if self.kernel_size % 2 == 0:
            message = f"must be odd, so that maps keep their size, got {self.kernel_size}"
            yield Problem("kernel_size", message)

    def add_layers(self, builder: NetworkBuilder, classes: int, dropout: float) -> None:
        for block, filters in enumerate(self.filters):
            try:
                self._add_block(builder, filters)
            except ConfigError as error:
                message = f"has {len(self.filters)} blocks, and the maps are too small after"
                raise ConfigError.at("filters", f"{message} {block}. Use fewer") from error
        if self.global_pool:
            builder.global_avg_pool()
        super().add_layers(builder, classes, dropout)

    def _add_block(self, builder: NetworkBuilder, filters: int) -> None:
        is_strided = self.pool is Pool["stride"]
        for layer in range(self.depth):
            builder.conv(
                filters,
                self.kernel_size,
                self.activation.value,
                stride=2 if is_strided and layer == self.depth - 1 else 1,
                padding=self.kernel_size // 2,
                init=self.init,
                batch_norm=self.batch_norm,
            )
        if not is_strided:
            (builder.max_pool if self.pool is Pool["max"] else builder.avg_pool)(2)
        builder.spatial_dropout(self.map_dropout)
