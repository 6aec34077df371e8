"""Whether images of digits are transposed, as those of EMNIST are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.data import idx

SHIPPED = Path(__file__).parents[1] / "mnist"
DIGITS, SIDE = 10, 28
REFERENCE = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
PER_DIGIT = 200
"""Images of each digit from which a mean is taken."""

LIKENESS, LEAD = 0.6, 0.15
"""Mean correlation with MNIST when transposed, and by how much it must exceed that as they are.

Measured: 0.94 and 0.53 for MNIST transposed, 0.73 and 0.43 for the same made as EMNIST is (larger,
blurred, centred by its box).
"""


def looks_transposed(images: Pixels, labels: Labels) -> bool:
    """Return whether the digits are like those of MNIST transposed."""
    if images.shape[1:] != (SIDE, SIDE) or not set(range(DIGITS)) <= {*labels[:100_000].tolist()}:
        return False
    reference = _means(*_reference())
    found = _means(images, labels)
    transposed = found.swapaxes(1, 2)
    upright, turned, *others = (
        _likeness(np.rot90(way, quarter, axes=(1, 2)), reference)
        for quarter in range(4)
        for way in (found, transposed)
    )
    return turned > max(LIKENESS, upright + LEAD, *others)  # not turned by 90°, nor mirrored


def _reference() -> tuple[Pixels, Labels]:
    images, labels = (SHIPPED / name for name in REFERENCE)
    return idx.read_images(images), idx.read_labels(labels)


def _means(images: Pixels, labels: Labels) -> Array:
    """Return the mean image of each digit, shape `(10, 28, 28)`."""
    rows = (np.flatnonzero(labels == digit)[:PER_DIGIT] for digit in range(DIGITS))
    return np.stack([images[chosen].mean(axis=0, dtype=np.float32) for chosen in rows])


def _likeness(one: Array, other: Array) -> float:
    """Return the mean over digits of the correlation of two images."""
    pairs = zip(one, other, strict=True)
    with np.errstate(invalid="ignore"):  # an image of one grey has none
        return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))
