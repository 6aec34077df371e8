"""How others augment images: SciPy image by image, torchvision's transforms, Keras's layers.

SciPy's is the specification's way, written for elastic and affine in the same manner: with its
default cubic splines and the probabilities of our classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

Job = Callable[[np.ndarray], object]


def one_by_one(change: Callable[..., np.ndarray], rng: np.random.Generator) -> Job:
    """Return what applies `change` to each image of a batch."""
    return lambda images: np.array([change(image, rng) for image in images])


def rotate(image, rng):
    """Section 9 of the specification."""
    if rng.random() < 0.5:
        image = ndimage.rotate(image, rng.uniform(-15, 15), reshape=False, mode="constant")
    return image


def shift(image, rng):
    """Section 9 of the specification."""
    if rng.random() < 0.5:
        image = ndimage.shift(image, rng.integers(-2, 3, 2), mode="constant")
    return image


def scale(image, rng):
    """Section 9 of the specification, cut or padded to the frame."""
    if rng.random() >= 0.5:
        return image
    zoomed = ndimage.zoom(image, rng.uniform(0.9, 1.1), mode="constant")
    extra = len(zoomed) - len(image)
    if extra >= 0:
        start = extra // 2
        return zoomed[start : start + len(image), start : start + len(image)]
    return np.pad(zoomed, (-extra // 2, -extra - -extra // 2))


def noise(image, rng):
    """Section 9 of the specification."""
    if rng.random() < 0.3:
        image = np.clip(image + rng.normal(0, 0.1, image.shape), 0, 1)
    return image


def elastic(image, rng):
    """Simard et al. (2003), as it is usually written."""
    if rng.random() < 0.5:
        fields = [
            34 * ndimage.gaussian_filter(rng.uniform(-1, 1, image.shape), 4, mode="constant")
            for _ in range(2)
        ]
        image = ndimage.map_coordinates(image, np.indices(image.shape) + fields)
    return image


def affine(image, rng):
    """All in one matrix."""
    if rng.random() < 0.5:
        turn, slope = (
            math.radians(rng.uniform(-15, 15)),
            math.tan(math.radians(rng.uniform(-10, 10))),
        )
        cos, sin = math.cos(turn), math.sin(turn)
        matrix = np.array([[cos, sin], [-sin, cos]]) @ [[1, 0], [slope, 1]] / rng.uniform(0.9, 1.1)
        middle = np.array([13.5, 13.5])
        offset = middle - matrix @ (middle + rng.uniform(-2.8, 2.8, 2))
        image = ndimage.affine_transform(image, matrix, offset)
    return image


def full(image, rng):
    """Section 9 of the specification: one resampling after the other."""
    for change in (rotate, shift, scale, elastic, noise):
        image = change(image, rng)
    return image


SCIPY = {
    "rotate": rotate,
    "shift": shift,
    "scale": scale,
    "noise": noise,
    "elastic": elastic,
    "affine": affine,
    "full": full,
}


def peers() -> Iterator[tuple[str, Job, int]]:
    """Yield the name, the work and the batch size of every library that is installed."""
    if importlib.util.find_spec("torchvision"):
        # One image at a time: a batch would get the same transformation for all its images.
        yield "torchvision, image by image", torchvision_full(), 1
    if importlib.util.find_spec("keras"):
        yield "Keras, batch 128", keras_full(), 128


def torchvision_full() -> Job:
    """Return the techniques of `full` as transforms: one affine warp, one elastic, noise."""
    torch = importlib.import_module("torch")
    v2 = importlib.import_module("torchvision.transforms.v2")
    torch.set_num_threads(1)
    bilinear = v2.InterpolationMode.BILINEAR
    change = v2.Compose(
        [
            v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), (-10, 10), interpolation=bilinear),
            v2.RandomApply([v2.ElasticTransform(34.0, 4.0, interpolation=bilinear)], 0.5),
            v2.RandomApply([v2.GaussianNoise(sigma=0.1)], 0.3),
        ]
    )
    return lambda images: change(torch.from_numpy(images))


def keras_full() -> Job:
    """Return the techniques of `full` as layers on JAX; Keras resamples in each of them."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    keras, jax = importlib.import_module("keras"), importlib.import_module("jax")
    black = {"fill_mode": "constant", "fill_value": 0.0}
    affine = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.RandomRotation(15 / 360, **black),
            keras.layers.RandomTranslation(0.1, 0.1, **black),
            keras.layers.RandomZoom((-0.1, 0.1), **black),
            keras.layers.RandomShear(0.17, 0.0, **black),
        ]
    )
    rest = [  # the first of them cannot be compiled by JAX
        keras.layers.RandomElasticTransform(factor=0.5, scale=1.0, value_range=(0, 1), **black),
        keras.layers.GaussianNoise(0.1),
    ]
    seeds = [variable.value for variable in affine.non_trainable_variables]

    @jax.jit
    def warped(seeds, images):
        return affine.stateless_call([], seeds, images, training=True)

    def run(images: np.ndarray) -> np.ndarray:
        x, seeds[:] = warped(seeds, images[..., None])
        for layer in rest:
            x = layer(x, training=True)
        return np.asarray(x)

    return run
