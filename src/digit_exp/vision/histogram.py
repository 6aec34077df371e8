"""Statistics of a picture from its histogram: some hundred numbers stand for all pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bins = NDArray[np.intp]

BINS = 512


@dataclass(frozen=True)
class Histogram:
    """How many pixels have which value; both arrays have shape `(bins,)`."""

    values: NDArray[np.float64]  # ascending
    counts: Bins

    @classmethod
    def of(cls, pixels: NDArray[np.float32]) -> tuple[Histogram, Bins]:
        """Return the histogram and the bin of each pixel, from 0, the smallest value's."""
        low, high = float(pixels.min()), float(pixels.max())
        width = (high - low) / (BINS - 1) or 1.0
        bins = ((pixels - low) * (1 / width) + 0.5).astype(np.intp)
        counts = np.bincount(bins.reshape(-1), minlength=BINS)
        return cls(low + width * np.arange(len(counts), dtype=np.float64), counts), bins

    @property
    def total(self) -> int:
        """How many pixels there are."""
        return int(self.counts.sum())

    def mean(self) -> float:
        """Return Σ n v / Σ n."""
        return float(self.counts @ self.values) / self.total

    def variance(self) -> float:
        """Return Σ n (v − mean)² / Σ n."""
        return float(self.counts @ (self.values - self.mean()) ** 2) / self.total

    def median(self) -> float:
        """Return the value below and above which half of the pixels lie."""
        return _median(self.values, self.counts)

    def deviation(self) -> float:
        """Return the standard deviation of a normal distribution with this median deviation."""
        apart = np.abs(self.values - self.median())
        order = np.argsort(apart)
        return 1.4826 * _median(apart[order], self.counts[order])

    def parts(self, cut: int) -> tuple[Histogram, Histogram]:
        """Return the bins up to `cut`, and those above."""
        values, counts = self.values, self.counts
        return (
            Histogram(values[: cut + 1], counts[: cut + 1]),
            Histogram(values[cut + 1 :], counts[cut + 1 :]),
        )

    def cut(self) -> int:
        """Return the last bin of the lower of the two classes furthest apart (Otsu 1979).

        It maximises ω₀ ω₁ (μ₀ − μ₁)², the variance between the classes.
        """
        below = np.cumsum(self.counts)[:-1].astype(np.float64)
        above = self.total - below
        sums = np.cumsum(self.counts * self.values)
        apart = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
        return int(np.argmax(below * above * apart**2))


def _median(values: NDArray[np.float64], counts: Bins) -> float:
    """Return the median of `values` in ascending order, each so many times."""
    below = np.cumsum(counts)
    return float(values[np.searchsorted(below, below[-1] / 2)])
