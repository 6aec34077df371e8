"""Augmentations of training images: probabilities and ranges, drawn for each image separately.

All motions of an image are combined before it is resampled, because each resampling blurs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np

from digit_exp.arrays import Array
from digit_exp.data.kernels import Mask, add_noise, affine, warp
from digit_exp.data.random_fields import displacements, numbers_of_displacement, standard_normal
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
"""The largest rotation, in degrees."""

Slant = Annotated[float, Range(ge=0, lt=90)]
"""The largest slant of an upright line, in degrees."""

Motions = Array
"""Rotation, shear, scale, and shifts down and right of each image: shape `(5, n)`."""

STILL = np.array([[0], [0], [1], [0], [0]], np.float32)
"""The motion that moves nothing."""


class Augmentation(Component):
    """The contract: float images in [0, 1], shape `(batch, height, width)`, stay such images."""

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        """Change `images` in place and return them."""
        raise NotImplementedError


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register("none")
class Unchanged(Augmentation):
    """The images as they are."""

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        return images


@AUGMENTATIONS.register("rotate")
class Rotate(Augmentation):
    """A turn about the middle by U(−degrees, degrees)."""

    p: Probability = 0.5
    degrees: Angle = 15.0

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        chosen = _choose(rng, images, [self.p])
        return _move(images, _motions(rng, chosen, rotation=self.degrees))


@AUGMENTATIONS.register("shift")
class Shift(Augmentation):
    """A move by whole pixels, which keeps an image sharp: up to ⌊max_shift · side⌋ each way."""

    p: Probability = 0.5
    max_shift: Fraction = 0.1

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        chosen = _choose(rng, images, [self.p])
        motions = _motions(rng, chosen, shift=_whole_pixels(images, self.max_shift))
        return _move(images, _round_shift(motions))


@AUGMENTATIONS.register("scale")
class Scale(Augmentation):
    """A magnification about the middle by U(min_scale, max_scale); the frame stays as it is."""

    p: Probability = 0.5
    min_scale: Positive = 0.9
    max_scale: Positive = 1.1

    def conflicts(self) -> Iterator[Problem]:
        return _upside_down(self.min_scale, self.max_scale)

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        chosen = _choose(rng, images, [self.p])
        return _move(images, _motions(rng, chosen, scale=(self.min_scale, self.max_scale)))


@AUGMENTATIONS.register("noise")
class Noise(Augmentation):
    """Gaussian noise:  x ← clip(x + N(0, std²), 0, 1)."""

    p: Probability = 0.3
    std: NonNegative = 0.1

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        chosen = _choose(rng, images, [self.p])[0]
        _, height, width = images.shape
        noise = standard_normal(rng, np.count_nonzero(chosen) * height * width)
        add_noise(images, chosen, noise, np.float32(self.std))
        return images


@AUGMENTATIONS.register("elastic")
class Elastic(Augmentation):
    """Elastic deformation (Simard, Steinkraus & Platt 2003), which resembles handwriting.

    A pixel is looked up at  (y, x) + α G_σ ∗ noise,  with noise of the variance of U(−1, 1). With
    the values of the paper, which are for 29 × 29 pixels, that is 1.4 pixels away in each
    direction (root mean square).
    """

    p: Probability = 0.5
    alpha: NonNegative = 34.0
    sigma: Positive = 4.0

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        chosen = _choose(rng, images, [self.p])[0]
        _, height, width = images.shape
        numbers = numbers_of_displacement(height, width, self.sigma)
        drawn = standard_normal(rng, int(np.count_nonzero(chosen)) * numbers)
        fields = displacements(drawn, height, width, alpha=self.alpha, sigma=self.sigma)
        return _move(images, np.repeat(STILL, len(images), axis=1), chosen, fields)


@AUGMENTATIONS.register("affine")
class Affine(Augmentation):
    """Shear, scale, rotation and a continuous shift: all of them, in one resampling."""

    p: Probability = 0.5
    degrees: Angle = 15.0
    max_shift: Fraction = 0.1
    min_scale: Positive = 0.9
    max_scale: Positive = 1.1
    shear: Slant = 10.0

    def conflicts(self) -> Iterator[Problem]:
        return _upside_down(self.min_scale, self.max_scale)

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        motions = _motions(
            rng,
            _choose(rng, images, [self.p]),
            rotation=self.degrees,
            shear=self.shear,
            scale=(self.min_scale, self.max_scale),
            shift=[self.max_shift * side for side in images.shape[1:]],
        )
        return _move(images, motions)


@AUGMENTATIONS.register("full")
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
        return _upside_down(self.min_scale, self.max_scale)

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        motion = [self.rotate_p, self.shear_p, self.scale_p, self.shift_p, self.shift_p]
        chosen = _choose(rng, images, [*motion, self.elastic_p, self.noise_p])
        chosen[4] = chosen[3]  # an image is shifted in both directions or in none
        motions = _motions(
            rng,
            chosen[:5],
            rotation=self.degrees,
            shear=self.shear,
            scale=(self.min_scale, self.max_scale),
            shift=_whole_pixels(images, self.max_shift),
        )
        (height, width), (elastic, noisy) = images.shape[1:], chosen[5:]
        # One draw for both: it takes longer to begin than to draw a thousand numbers.
        numbers = np.count_nonzero(elastic) * numbers_of_displacement(height, width, self.sigma)
        drawn = standard_normal(rng, numbers + np.count_nonzero(noisy) * height * width)
        fields = displacements(drawn[:numbers], height, width, alpha=self.alpha, sigma=self.sigma)
        _move(images, _round_shift(motions), elastic, fields)
        add_noise(images, noisy, drawn[numbers:], np.float32(self.std))
        return images


def _choose(rng: np.random.Generator, images: Array, shares: Sequence[float]) -> Mask:
    """Choose images at random, with each of the probabilities: shape `(shares, n)`."""
    return rng.random((len(shares), len(images))) < np.array(shares)[:, None]


def _motions(
    rng: np.random.Generator,
    chosen: Mask,
    *,
    rotation: float = 0.0,
    shear: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shift: Sequence[float] = (0.0, 0.0),
) -> Motions:
    """Draw motions of chosen images: scales from their range, others up to a limit both ways."""
    (smallest, largest), (down, right) = scale, shift
    low = np.array((-rotation, -shear, smallest, -down, -right), np.float32)
    high = np.array((rotation, shear, largest, down, right), np.float32)
    drawn = rng.random((5, chosen.shape[1]), np.float32)
    drawn *= (high - low)[:, None]
    drawn += low[:, None]
    return np.where(chosen, drawn, STILL)


def _whole_pixels(images: Array, max_shift: float) -> list[float]:
    """Return limits of shifts: after rounding, each whole number of pixels is equally likely."""
    return [int(max_shift * side) + 0.5 for side in images.shape[1:]]


def _round_shift(motions: Motions) -> Motions:
    np.rint(motions[3:], out=motions[3:])
    return motions


def _move(
    images: Array, motions: Motions, elastic: Mask | None = None, fields: Array | None = None
) -> Array:
    """Resample images after their motions; the chosen ones also have an elastic deformation."""
    count, height, width = images.shape
    transforms = np.empty((count, 2, 3), np.float32)
    affine(motions, height, width, transforms)
    if elastic is None or fields is None:
        elastic, fields = np.zeros(count, np.bool_), np.empty((0, 2, height, width), np.float32)
    warp(images, transforms, elastic, fields)
    return images


def _upside_down(min_scale: float, max_scale: float) -> Iterator[Problem]:
    if min_scale > max_scale:
        yield Problem(
            "min_scale", f"must not be greater than max_scale ({max_scale}), got {min_scale}"
        )
