"""What happens to training images, at random: which of them change, in what way and how far.

An augmentation holds probabilities and ranges, and draws for each image by itself; the geometry is
in `warps`. All motions of an image are put together before it is resampled, because each
resampling blurs. What is drawn is apart from what is then done: a member of a team draws for all
images, as every other does, and changes only its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array
from digit_exp.data.warps import (
    Chosen,
    Transforms,
    Tremor,
    affine,
    displacement,
    tremor,
    warp,
    work,
)
from digit_exp.registry import (
    Component,
    Fraction,
    NonNegative,
    Positive,
    Probability,
    Problem,
    Range,
    Registry,
)

Angle = Annotated[float, Range(ge=0, le=180)]
"""How far an image turns at most, in degrees."""

Slant = Annotated[float, Range(ge=0, lt=90)]
"""How far an upright line leans at most, in degrees."""

Mask = NDArray[np.bool_]
"""Which images of a block change, shape `(n,)`."""

Shape = tuple[int, ...]
"""Of a block of images: how many, height, width."""

Change = Callable[[Array, slice], None]
"""Changes images in place, those that have the rows of the slice in a block."""

BLOCK_PIXELS = 2**16
"""How much is changed at a time: few enough that the second-level cache holds the work memory."""


@dataclass(frozen=True, kw_only=True)
class Augmentation(Component):
    """The contract: float images in [0, 1], shape `(batch, height, width)`, stay such images."""

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        """Change `images` in place and return them."""
        _, height, width = images.shape
        size = max(1, BLOCK_PIXELS // (height * width))

        for start in range(0, len(images), size):
            block = images[start : start + size]
            self.draw(block.shape, rng)(block, slice(0, len(block)))
        return images

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Draw what happens to a block of images; return the function that does it to some rows."""
        raise NotImplementedError


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register("none")
@dataclass(frozen=True, kw_only=True)
class Unchanged(Augmentation):
    """The images as they are."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Draw nothing."""
        return lambda images, rows: None


@AUGMENTATIONS.register("rotate")
@dataclass(frozen=True, kw_only=True)
class Rotate(Augmentation):
    """A turn about the middle by U(−degrees, degrees)."""

    p: Probability = 0.5
    degrees: Angle = 15.0

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Rotate a share p of the images."""
        turned = _chosen(rng, shape, self.p)
        rotation = _uniform(rng, turned, -self.degrees, self.degrees)
        return _motion(affine(shape[0], rotation=rotation))


@AUGMENTATIONS.register("shift")
@dataclass(frozen=True, kw_only=True)
class Shift(Augmentation):
    """A move by whole pixels, which keeps an image sharp: up to ⌊max_shift · side⌋ each way."""

    p: Probability = 0.5
    max_shift: Fraction = 0.1

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Shift a share p of the images."""
        moved = _chosen(rng, shape, self.p)
        return _motion(affine(shape[0], shift=_whole_pixels(rng, moved, self.max_shift, shape)))


@AUGMENTATIONS.register("scale")
@dataclass(frozen=True, kw_only=True)
class Scale(Augmentation):
    """A magnification about the middle by U(min_scale, max_scale); the frame stays as it is."""

    p: Probability = 0.5
    min_scale: Positive = 0.9
    max_scale: Positive = 1.1

    def conflicts(self) -> Iterator[Problem]:
        """Yield the problem of a range that ends before it begins."""
        return _upside_down(self.min_scale, self.max_scale)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Scale a share p of the images."""
        scaled = _chosen(rng, shape, self.p)
        scale = _uniform(rng, scaled, self.min_scale, self.max_scale, otherwise=1.0)
        return _motion(affine(shape[0], scale=scale))


@AUGMENTATIONS.register("noise")
@dataclass(frozen=True, kw_only=True)
class Noise(Augmentation):
    """Gaussian noise:  x ← clip(x + N(0, std²), 0, 1)."""

    p: Probability = 0.3
    std: NonNegative = 0.1

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Add noise to a share p of the images."""
        return _noise(rng, shape, self.p, self.std)


@AUGMENTATIONS.register("elastic")
@dataclass(frozen=True, kw_only=True)
class Elastic(Augmentation):
    """Elastic deformation (Simard, Steinkraus & Platt 2003), like the tremor of a hand.

    A pixel is looked up at  (y, x) + α G_σ ∗ U(−1, 1).  With the values of the paper, which are for
    29 × 29 pixels, that is 1.4 pixels away in each direction (root mean square).
    """

    p: Probability = 0.5
    alpha: NonNegative = 34.0
    sigma: Positive = 4.0

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Deform a share p of the images."""
        bent = np.flatnonzero(_chosen(rng, shape, self.p))
        drawn = tremor((len(bent), *shape[1:]), rng)
        return _motion(affine(shape[0]), _Bend(bent, drawn, self.alpha, self.sigma))


@AUGMENTATIONS.register("affine")
@dataclass(frozen=True, kw_only=True)
class Affine(Augmentation):
    """Shear, scale, rotation and a continuous shift: all of them, in one resampling."""

    p: Probability = 0.5
    degrees: Angle = 15.0
    max_shift: Fraction = 0.1
    min_scale: Positive = 0.9
    max_scale: Positive = 1.1
    shear: Slant = 10.0

    def conflicts(self) -> Iterator[Problem]:
        """Yield the problem of a range that ends before it begins."""
        return _upside_down(self.min_scale, self.max_scale)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Transform a share p of the images."""
        count, *sides = shape
        moved = _chosen(rng, shape, self.p)
        reach = [self.max_shift * side for side in sides]
        transforms = affine(
            count,
            rotation=_uniform(rng, moved, -self.degrees, self.degrees),
            shift=[_uniform(rng, moved, -far, far) for far in reach],
            scale=_uniform(rng, moved, self.min_scale, self.max_scale, otherwise=1.0),
            shear=_uniform(rng, moved, -self.shear, self.shear),
        )
        return _motion(transforms)


@AUGMENTATIONS.register("full")
@dataclass(frozen=True, kw_only=True)
class Full(Augmentation):
    """Every technique, each with its own probability: one resampling, then noise."""

    rotate_p: Probability = 0.5
    degrees: Angle = 15.0
    shift_p: Probability = 0.5
    max_shift: Fraction = 0.1
    scale_p: Probability = 0.5
    min_scale: Positive = 0.9
    max_scale: Positive = 1.1
    shear_p: Probability = 0.5
    shear: Slant = 10.0
    elastic_p: Probability = 0.5
    alpha: NonNegative = 34.0
    sigma: Positive = 4.0
    noise_p: Probability = 0.3
    std: NonNegative = 0.1

    def conflicts(self) -> Iterator[Problem]:
        """Yield the problem of a range that ends before it begins."""
        return _upside_down(self.min_scale, self.max_scale)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Change:
        """Apply each technique to its share of the images."""
        turned, moved = _chosen(rng, shape, self.rotate_p), _chosen(rng, shape, self.shift_p)
        scaled, slanted = _chosen(rng, shape, self.scale_p), _chosen(rng, shape, self.shear_p)
        transforms = affine(
            shape[0],
            rotation=_uniform(rng, turned, -self.degrees, self.degrees),
            shift=_whole_pixels(rng, moved, self.max_shift, shape),
            scale=_uniform(rng, scaled, self.min_scale, self.max_scale, otherwise=1.0),
            shear=_uniform(rng, slanted, -self.shear, self.shear),
        )
        bent = np.flatnonzero(_chosen(rng, shape, self.elastic_p))
        drawn = tremor((len(bent), *shape[1:]), rng)
        move = _motion(transforms, _Bend(bent, drawn, self.alpha, self.sigma))
        add_noise = _noise(rng, shape, self.noise_p, self.std)

        def change(images: Array, rows: slice) -> None:
            move(images, rows)
            add_noise(images, rows)

        return change


class _Bend(NamedTuple):
    """Elastic deformations of some images."""

    chosen: Chosen
    drawn: Tremor
    alpha: float
    sigma: float


def _motion(transforms: Transforms, bend: _Bend | None = None) -> Change:
    """Return the change that moves images, by a transform and perhaps by a deformation."""

    def change(images: Array, rows: slice) -> None:
        if bend is None:
            warp(images, transforms[:, rows])
            return
        own = _among(bend.chosen, rows)
        fields = displacement(bend.drawn[:, own], bend.alpha, bend.sigma)
        warp(images, transforms[:, rows], bend.chosen[own] - rows.start, fields)

    return change


def _noise(rng: np.random.Generator, shape: Shape, p: float, std: float) -> Change:
    """Return the change that adds noise to images chosen with probability `p`."""
    chosen = np.flatnonzero(_chosen(rng, shape, p))
    drawn = work("noise", (len(chosen), *shape[1:]), np.float32)
    rng.standard_normal(out=drawn, dtype=np.float32)

    def change(images: Array, rows: slice) -> None:
        own = _among(chosen, rows)
        noisy, noise = chosen[own] - rows.start, drawn[own]
        noise *= std
        noise += images[noisy]
        images[noisy] = np.clip(noise, 0, 1, out=noise)

    return change


def _among(chosen: Chosen, rows: slice) -> slice:
    """Return where the numbers of some rows stand among those chosen, which ascend."""
    start, stop = np.searchsorted(chosen, (rows.start, rows.stop))
    return slice(start, stop)


def _chosen(rng: np.random.Generator, shape: Shape, p: float) -> Mask:
    """Choose each image with probability `p`."""
    return rng.random(shape[0]) < p


def _uniform(
    rng: np.random.Generator, chosen: Mask, low: float, high: float, *, otherwise: float = 0.0
) -> Array:
    """Draw from U(low, high) for each chosen image."""
    return np.where(chosen, rng.uniform(low, high, len(chosen)), otherwise)


def _whole_pixels(
    rng: np.random.Generator, chosen: Mask, max_shift: float, shape: Shape
) -> list[Array]:
    """Draw whole numbers of pixels, down and right, for each chosen image."""
    limits = [int(max_shift * side) for side in shape[1:]]
    moves = [rng.integers(-far, far, len(chosen), endpoint=True) for far in limits]
    return [np.where(chosen, move, 0.0) for move in moves]


def _upside_down(min_scale: float, max_scale: float) -> Iterator[Problem]:
    if min_scale > max_scale:
        yield Problem(
            "min_scale", f"must not be greater than max_scale ({max_scale}), got {min_scale}"
        )
