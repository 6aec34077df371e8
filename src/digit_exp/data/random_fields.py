"""Random fields: many standard normal numbers fast, and smooth displacements made of a few.

The random bits are NumPy's.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from digit_exp.arrays import Array
from digit_exp.data.kernels import look_up

SMALLEST_MODE = 5e-3
"""Modes that smoothing makes this much smaller than the largest one are left out."""


def standard_normal(rng: np.random.Generator, size: int) -> Array:
    """Draw from N(0, 1), float32, many times as fast as `rng.standard_normal`.

    Each number is one of 4,096 equally likely quantiles, so none is beyond 3.8; the cumulative
    distribution is that of N(0, 1) within 2e-4.
    """
    words = -(-size // 4)
    out = np.empty(4 * words, np.float32)
    # A float64 has enough random bits for four numbers and costs as much as a float32.
    look_up(_quantiles(), rng.random(words), out)
    return out[:size]


def numbers_of_displacement(height: int, width: int, sigma: float) -> int:
    """Return how many numbers `displacements` needs for an image."""
    return 2 * len(modes(height, sigma)) * len(modes(width, sigma))


def displacements(drawn: Array, height: int, width: int, *, alpha: float, sigma: float) -> Array:
    """Return elastic deformations (Simard et al. 2003):  Δ = α G_σ ∗ noise, `(n, 2, h, w)`.

    `drawn` holds standard normal numbers, `numbers_of_displacement` for each of n images. The
    noise ends at the edge of the image and has the variance of U(−1, 1), but is normal. Smoothing
    makes U(−1, 1) normal too (excess kurtosis −0.05 with σ = 2, −0.01 with σ = 4), and of normal
    noise only the modes that smoothing leaves have to be drawn: 64 numbers instead of 784.
    """
    rows, columns = modes(height, sigma), modes(width, sigma)
    white = drawn.reshape(-1, 2, len(rows), len(columns))
    fields: Array = (rows.T * (alpha / math.sqrt(3))) @ (white @ columns)
    return fields


@lru_cache(maxsize=16)
def modes(size: int, sigma: float) -> Array:
    """Return the modes of a Gaussian filter over `size` pixels: M with Mᵀ M = G G, shape `(k, n)`.

    So Mᵀ z has the covariance of G z for white noise z. Each mode is an eigenvector of G times its
    eigenvalue.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(smoothing(size, sigma))
    eigenvectors[:, eigenvectors[0] < 0] *= -1  # or the sign would depend on the processor
    kept = np.abs(eigenvalues) > SMALLEST_MODE * eigenvalues.max()
    matrix: Array = (eigenvectors[:, kept] * eigenvalues[kept]).T.astype(np.float32, order="C")
    matrix.setflags(write=False)  # everyone gets the same one
    return matrix


def smoothing(size: int, sigma: float) -> Array:
    """Return the matrix G that smooths a column of `size` pixels: a Gaussian cut off at 4 σ.

    G·column = scipy.ndimage.gaussian_filter(column, sigma, mode="constant").
    """
    radius = int(4 * sigma + 0.5)
    distance = np.arange(-radius, radius + 1)
    total = np.exp(-0.5 * (distance / sigma) ** 2).sum()
    pixel = np.arange(size)
    distance = np.abs(pixel[:, None] - pixel)
    weights = np.exp(-0.5 * (distance / sigma) ** 2) / total
    matrix: Array = np.where(distance <= radius, weights, 0)
    return matrix


@lru_cache(maxsize=1)
def _quantiles() -> Array:
    """Return the means of N(0, 1) in 4,096 equally likely intervals, scaled to variance 1."""
    from statistics import NormalDist

    normal, count = NormalDist(), 2**12
    # The mean between two bounds is the difference of the densities there, by the probability.
    inner = [normal.pdf(normal.inv_cdf(i / count)) for i in range(1, count)]
    values = -np.diff([0, *inner, 0])
    table: Array = (values / values.std()).astype(np.float32)
    return table
