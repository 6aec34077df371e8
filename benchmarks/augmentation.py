"""Augmentation in images a second on one core, beside SciPy and, where installed, other libraries.

    python benchmarks/augmentation.py [ROUNDS]

SciPy's column is the specification's way, written for elastic and affine in the same manner: image
by image, `scipy.ndimage` with its default cubic splines, with the probabilities of our classes.
Ours does the shear of `full` on top. Everyone takes turns in every round; the tables are Markdown
and hold medians of the rounds.
"""

import importlib
import importlib.util
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
from scipy import ndimage
from threadpoolctl import threadpool_limits

from digit_exp.data.augmentations import AUGMENTATIONS
from digit_exp.data.batches import batches
from digit_exp.data.sources import DATASETS

BATCHES = (32, 128, 512)
IMAGES = 1536  # three batches of the largest size
FEW = 96  # enough for what takes a fraction of a millisecond an image

Job = Callable[[np.ndarray], object]


def main() -> None:
    """Measure everything in turns and print two tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with threadpool_limits(1):
        images = next(iter(batches(DATASETS["mnist"]().load().train, IMAGES)))[0].copy()
        names = [name for name in AUGMENTATIONS.names() if name != "none"]
        ours = {name: AUGMENTATIONS[name]() for name in names}
        rng = np.random.default_rng(0)

        jobs: dict[tuple[str, str], tuple[Job, int, int]] = {}
        for name in names:
            for batch in BATCHES:
                job: Job = lambda x, change=ours[name]: change(x, rng)  # noqa: E731
                jobs[name, str(batch)] = job, batch, IMAGES
            jobs[name, "SciPy"] = one_by_one(SCIPY[name], rng), 32, FEW
        for peer, job, batch in peers():
            jobs["full", peer] = job, batch, IMAGES if batch > 1 else FEW
        speeds = measure(jobs, images, rounds)

    print("images / s:\n")
    row("augmentation", *(f"batch {batch}" for batch in BATCHES), "SciPy", "ratio, batch 32 to 512")
    row("---", *["---:"] * 5)
    for name in names:
        fast, scipy = [speeds[name, str(batch)] for batch in BATCHES], speeds[name, "SciPy"]
        ratios = [speed / scipy for speed in fast]
        row(
            name,
            *(f"{speed:,.0f}" for speed in (*fast, scipy)),
            " ".join(f"{r:.0f} ×" for r in ratios),
        )
    best = speeds["full", "128"]
    print(
        f"\n`full` at batch 128: {1e6 / best:.1f} µs an image, {54_000 / best:.2f} s for 54,000.\n"
    )
    row("`full`", "images / s", "ours is")
    row("---", "---:", "---:")
    for _, who in (key for key in jobs if key[0] == "full" and not key[1].isdigit()):
        row(who, f"{speeds['full', who]:,.0f}", f"{best / speeds['full', who]:.0f} × as fast")


def measure(
    jobs: dict[tuple[str, str], tuple[Job, int, int]], images: np.ndarray, rounds: int
) -> dict[tuple[str, str], float]:
    """Return the median speed of every job; the first round warms up and does not count."""
    speeds: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
    for _ in range(rounds + 1):
        for key, (job, batch, count) in jobs.items():
            copies = [images[i : i + batch].copy() for i in range(0, count, batch)]
            started = time.perf_counter()
            for copy in copies:
                job(copy)
            speeds[key].append(count / (time.perf_counter() - started))
    return {key: median(values[1:]) for key, values in speeds.items()}


def row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


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
    """Return the techniques of `full` as layers; Keras resamples once for each."""
    keras = importlib.import_module("keras")
    black = {"fill_mode": "constant", "fill_value": 0.0}
    change = [
        keras.layers.RandomRotation(15 / 360, **black),
        keras.layers.RandomTranslation(0.1, 0.1, **black),
        keras.layers.RandomZoom((-0.1, 0.1), **black),
        keras.layers.RandomShear(0.17, 0.0, **black),
        keras.layers.RandomElasticTransform(factor=0.5, scale=1.0, value_range=(0, 1), **black),
        keras.layers.GaussianNoise(0.1),
    ]

    def run(images: np.ndarray) -> np.ndarray:
        x = images[..., None]
        for layer in change:
            x = layer(x, training=True)
        return np.asarray(keras.ops.convert_to_numpy(x))

    return run


if __name__ == "__main__":
    main()
