"""What happens to training images, at random: which of them change, in what way and how far.

An augmentation holds probabilities and ranges, and draws for each image by itself; the geometry is
in `warps`. All motions of an image are put together before it is resampled, because each
resampling blurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array
from digit_exp.data.warps import affine, displacement, warp, work
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
            self.change(images[start : start + size], rng)
        return images

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Change a block of images in place."""
        raise NotImplementedError


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register("none")
@dataclass(frozen=True, kw_only=True)
class Unchanged(Augmentation):
    """The images as they are."""

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Do nothing."""


@AUGMENTATIONS.register("rotate")
@dataclass(frozen=True, kw_only=True)
class Rotate(Augmentation):
    """A turn about the middle by U(−degrees, degrees)."""

    p: Probability = 0.5
    degrees: Angle = 15.0

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Rotate a share p of the images."""
        turned = _chosen(rng, images, self.p)
        rotation = _uniform(rng, turned, -self.degrees, self.degrees)
        warp(images, affine(len(images), rotation=rotation))


@AUGMENTATIONS.register("shift")
@dataclass(frozen=True, kw_only=True)
class Shift(Augmentation):
    """A move by whole pixels, which keeps an image sharp: up to ⌊max_shift · side⌋ each way."""

    p: Probability = 0.5
    max_shift: Fraction = 0.1

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Shift a share p of the images."""
        moved = _chosen(rng, images, self.p)
        shift = _whole_pixels(rng, moved, self.max_shift, images)
        warp(images, affine(len(images), shift=shift))


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

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Scale a share p of the images."""
        scaled = _chosen(rng, images, self.p)
        scale = _uniform(rng, scaled, self.min_scale, self.max_scale, otherwise=1.0)
        warp(images, affine(len(images), scale=scale))


@AUGMENTATIONS.register("noise")
@dataclass(frozen=True, kw_only=True)
class Noise(Augmentation):
    """Gaussian noise:  x ← clip(x + N(0, std²), 0, 1)."""

    p: Probability = 0.3
    std: NonNegative = 0.1

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Add noise to a share p of the images."""
        _add_noise(rng, images, self.p, self.std)


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

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Deform a share p of the images."""
        bent = np.flatnonzero(_chosen(rng, images, self.p))
        shape = (len(bent), *images.shape[1:])
        warp(images, affine(len(images)), bent, displacement(shape, self.alpha, self.sigma, rng))


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

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Transform a share p of the images."""
        count, *sides = images.shape
        moved = _chosen(rng, images, self.p)
        reach = [self.max_shift * side for side in sides]
        transforms = affine(
            count,
            rotation=_uniform(rng, moved, -self.degrees, self.degrees),
            shift=[_uniform(rng, moved, -far, far) for far in reach],
            scale=_uniform(rng, moved, self.min_scale, self.max_scale, otherwise=1.0),
            shear=_uniform(rng, moved, -self.shear, self.shear),
        )
        warp(images, transforms)


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

    def change(self, images: Array, rng: np.random.Generator) -> None:
        """Apply each technique to its share of the images."""
        turned, moved = _chosen(rng, images, self.rotate_p), _chosen(rng, images, self.shift_p)
        scaled, slanted = _chosen(rng, images, self.scale_p), _chosen(rng, images, self.shear_p)
        transforms = affine(
            len(images),
            rotation=_uniform(rng, turned, -self.degrees, self.degrees),
            shift=_whole_pixels(rng, moved, self.max_shift, images),
            scale=_uniform(rng, scaled, self.min_scale, self.max_scale, otherwise=1.0),
            shear=_uniform(rng, slanted, -self.shear, self.shear),
        )
        bent = np.flatnonzero(_chosen(rng, images, self.elastic_p))
        shape = (len(bent), *images.shape[1:])
        warp(images, transforms, bent, displacement(shape, self.alpha, self.sigma, rng))
        _add_noise(rng, images, self.noise_p, self.std)


def _chosen(rng: np.random.Generator, images: Array, p: float) -> Mask:
    """Choose each image with probability `p`."""
    return rng.random(len(images)) < p


def _uniform(
    rng: np.random.Generator, chosen: Mask, low: float, high: float, *, otherwise: float = 0.0
) -> Array:
    """Draw from U(low, high) for each chosen image."""
    return np.where(chosen, rng.uniform(low, high, len(chosen)), otherwise)


def _whole_pixels(
    rng: np.random.Generator, chosen: Mask, max_shift: float, images: Array
) -> list[Array]:
    """Draw whole numbers of pixels, down and right, for each chosen image."""
    limits = [int(max_shift * side) for side in images.shape[1:]]
    moves = [rng.integers(-far, far, len(chosen), endpoint=True) for far in limits]
    return [np.where(chosen, move, 0.0) for move in moves]


def _add_noise(rng: np.random.Generator, images: Array, p: float, std: float) -> None:
    noisy = np.flatnonzero(_chosen(rng, images, p))
    noise = work("noise", (len(noisy), *images.shape[1:]), images.dtype)
    rng.standard_normal(out=noise, dtype=images.dtype)
    noise *= std
    noise += images[noisy]
    images[noisy] = np.clip(noise, 0, 1, out=noise)


def _upside_down(min_scale: float, max_scale: float) -> Iterator[Problem]:
    if min_scale > max_scale:
        yield Problem(
            "min_scale", f"must not be greater than max_scale ({max_scale}), got {min_scale}"
        )
