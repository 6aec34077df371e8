"""Splits of a training set, with their class counts and pixel statistics.

Rows of a part keep the order that they have in the file, which reads a memory-mapped file from
front to back. Shuffling is the trainer's, epoch by epoch.
"""

import math

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Labels
from digit_exp.data.dataset import Rows, Split
from digit_exp.registry import ConfigError

IMAGES_AT_ONCE = 1024


def train_val_split(
    split: Split, *, val_ratio: float, rng: np.random.Generator, stratified: bool = False
) -> tuple[Split, Split]:
    """Hold out `int(n · val_ratio)` random rows; return the training and the validation split.

    Stratified, every class gives its share, rounded up or down.
    """
    held_out = _choose(split.labels, int(len(split) * val_ratio), rng, stratified)
    return split.select(np.flatnonzero(~held_out)), split.select(np.flatnonzero(held_out))


def subset(split: Split, size: int, rng: np.random.Generator, stratified: bool = False) -> Split:
    """Return `size` random rows of a training split. Raises ConfigError if it has fewer."""
    if size > len(split):
        message = (
            f"must be at most {len(split)}, the training images that the validation split leaves,"
            f" got {size}"
        )
        raise ConfigError.at("data.train_size", message)
    return split.select(np.flatnonzero(_choose(split.labels, size, rng, stratified)))


def class_counts(split: Split, classes: int) -> NDArray[np.intp]:
    """Return how many rows each class has, shape `(classes,)`."""
    return np.bincount(split.labels, minlength=classes)


def pixel_statistics(split: Split) -> tuple[float, float]:
    """Return mean and standard deviation of all pixels of the split, scaled to [0, 1].

    They come from the histogram of the 256 grey levels: exact, and in bounded memory.
    """
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(split), IMAGES_AT_ONCE):
        pixels = split.images[split.rows[start : start + IMAGES_AT_ONCE]]
        histogram += np.bincount(pixels.reshape(-1), minlength=256)
    levels = np.arange(256) / 255
    share = histogram / histogram.sum()
    mean = float(levels @ share)
    std = math.sqrt((levels - mean) ** 2 @ share)
    if std == 0:
        message = "cannot be standardize: all training pixels are equal. Use data.normalize=unit"
        raise ConfigError.at("data.normalize", message)
    return mean, std


def _choose(
    labels: Labels, size: int, rng: np.random.Generator, stratified: bool
) -> NDArray[np.bool_]:
    """Return a mask of `size` random positions."""
    order = rng.permutation(len(labels))
    mask = np.zeros(len(labels), np.bool_)
    mask[_first_of_each_class(labels, order, size) if stratified else order[:size]] = True
    return mask


def _first_of_each_class(labels: Labels, order: Rows, size: int) -> Rows:
    """Return the first positions in `order` of every class, as many as are its share of `size`."""
    shares = _shares(np.bincount(labels), size)
    shuffled = labels[order]
    return np.concatenate([order[shuffled == k][:share] for k, share in enumerate(shares)])


def _shares(counts: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Divide `size` in the proportion of `counts`: what is left goes to the largest remainders."""
    shares, remainders = np.divmod(counts * size, counts.sum())
    left = size - shares.sum()
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares
