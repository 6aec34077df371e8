"""When a candidate of a race is too far behind to be trained with more seeds.

A race trains each candidate seed after seed. After k seeds, a candidate is compared with the one
that is ahead on the same k seeds, by a one-sided paired t-test:

    ȳ(ahead) − ȳ(candidate)  >  t(1 − α', ν) · s · √(2 / k),      α' = RISK / ((C − 1) (R − 1))

The C candidates are planned to have R seeds each, so that every comparison that may ever drop the
best one is paid for (Bonferroni). s² is the noise that is left when a candidate's level and a
seed's are taken away, estimated with ν degrees of freedom from all that have two seeds or more, as
one seed alone shows no spread. Pairing by seed ("blocking") and racing as a whole: Moore & Lee,
"Efficient algorithms for minimizing cross validation error", ICML 1994; with t-tests: López-Ibáñez
et al., "The irace package", Operations Research Perspectives 3 (2016).

Assumed are noise of one size and normal differences. `tests/analysis/test_racing.py` simulates how
often the truly best candidate is dropped, also where they do not hold; `docs/statistics.md` has it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from digit_exp.analysis.statistics import ROUNDING, Mask
from digit_exp.arrays import Array

RISK = 0.02
"""The probability of dropping the truly best candidate, divided among all tests of a race."""


@dataclass(frozen=True)
class Deficit:
    """The distance of candidates from the leader, and its limit. NaN: not known."""

    behind: Array
    limit: Array
    seeds: Array
    """The number of common seeds."""

    @property
    def is_too_large(self) -> Mask:
        """Whether the candidate is dropped."""
        return np.asarray((self.behind > self.limit) & (self.limit > ROUNDING))


def deficit(scores: Array, candidate: int) -> Deficit:
    """Compare one candidate of a race, shape `(..., candidates, seeds)`, with the one ahead.

    More is better; NaN stands for what has not been measured. Leading axes are races of their own.
    """
    candidates, replicates = scores.shape[-2:]
    has = np.isfinite(scores)
    own = has[..., candidate, :]
    seeds = own.sum(-1)
    means = np.where(own[..., None, :] & has, scores, 0.0).sum(-1) / np.maximum(seeds, 1)[..., None]
    has_all = np.asarray((has | ~own[..., None, :]).all(-1))
    has_all[..., candidate] = False
    ahead = np.where(has_all, means, -np.inf).max(-1)
    risk = RISK / max(1, (candidates - 1) * (replicates - 1))
    variance, freedom = _noise(scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = stats.t.ppf(1 - risk, freedom) * np.sqrt(2 * variance / seeds)
    return Deficit(ahead - means[..., candidate], limit, seeds)


def _noise(scores: Array) -> tuple[Array, Array]:
    """Return the variance of a score around its candidate's and its seed's level, and its ν.

    Each score after a candidate's first is set against the mean of those before it (Helmert's
    contrasts, which are independent), and the mean over the candidates is the seed's part.
    """
    has = np.isfinite(scores)
    known = np.where(has, scores, 0.0)
    before = has.cumsum(-1) - has
    contrasts = known - (known.cumsum(-1) - known) / np.maximum(before, 1)
    contrasts *= np.sqrt(before / (before + 1))
    counts = has & (before > 0)
    n = counts.sum(-2, keepdims=True)
    rest = contrasts - np.where(counts, contrasts, 0.0).sum(-2, keepdims=True) / np.maximum(n, 1)
    freedom = np.maximum(n - 1, 0).sum((-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.where(counts, rest, 0.0) ** 2).sum((-1, -2)) / freedom, freedom
