"""A paired test that may be looked at after every pair, and stopped as soon as it decides.

A t-test that is repeated until it says "significant" will say so in the end. A confidence sequence
may be looked at after every pair: the chance that it ever misses the true mean is at most α. This
is the one for normal differences of unknown spread, from the mixture over effect sizes δ = μ/σ:

    Eₙ(μ) = √(c²/(n + c²)) · (1 − Sₙ² / ((n + c²) Vₙ))^(−n/2),   Sₙ = Σ(dᵢ − μ),  Vₙ = Σ(dᵢ − μ)²

At the true μ, Eₙ is a nonnegative martingale that begins at 1, however large the spread is, with
δ ~ N(0, 1/c²) as the prior of the mixture. By Ville's inequality it ever reaches 1/α with
probability α at most: all μ with Eₙ(μ) < 1/α are the interval. Wang & Ramdas, "Anytime-valid
t-tests and confidence sequences for Gaussian means with unknown variance", Sequential Analysis
(2025); for the inequality Ville, "Étude critique de la notion de collectif" (1939).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from digit_exp.arrays import Array

PRECISION = 0.1
"""c². Small, for effects of several deviations: they are decided after the fewest pairs."""

Decision = Literal["better", "worse", "no difference", "undecided"]


@dataclass(frozen=True)
class SequentialTest:
    """The rule by which differences, change − baseline, decide."""

    alpha: float = 0.05
    """The chance of a wrong decision, whenever it is looked at."""
    indifference: float = 0.002
    """A difference that does not matter."""
    resolution: float = 0.0
    """The step in which scores are measured: 1/n for an accuracy on n images."""

    def interval(self, differences: ArrayLike) -> tuple[Array, Array]:
        """Return the ends of the interval of the mean, over the last axis.

        Two pairs alone leave it infinite.
        """
        d = np.asarray(differences, float)
        n = d.shape[-1]
        # rounded numbers may agree by chance: their spread is at least that of the rounding
        spread = np.sqrt(d.var(-1) + self.resolution**2 / 6)
        share = (self.alpha**2 * PRECISION / (n + PRECISION)) ** (1 / n)
        part = (1 - share) * (n + PRECISION) / n
        margin = spread * np.sqrt(part / (1 - part)) if part < 1 else np.full_like(spread, np.inf)
        return d.mean(-1) - margin, d.mean(-1) + margin

    def decide(self, differences: ArrayLike) -> Decision:
        """Return what may be said after these pairs."""
        low, high = self.interval(differences)
        if low > 0:
            return "better"
        if high < 0:
            return "worse"
        is_small = -self.indifference <= low and high <= self.indifference
        return "no difference" if is_small else "undecided"
