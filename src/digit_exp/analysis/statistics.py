"""Intervals of a mean, tests of a difference, and the correction for many tests.

Nothing here knows what the numbers are. The tests are SciPy's; Holm's correction, which SciPy does
not have, is here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from digit_exp.rng import Rng

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05

RESAMPLES = 2000

LARGEST_EXPONENT = 100.0
"""So that the upper end of an interval stays finite."""

ROUNDING = 1e-9
"""Differences closer than this differ by rounding only."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Summary:
    """A sample in a few numbers, NaN where there is none.

    One value alone has no spread and no interval. Nothing has no mean either, and is false.
    """

    n: int
    mean: float
    std: float
    low: float
    high: float

    def __bool__(self) -> bool:
        return self.n > 0


def summarize(values: Sequence[float]) -> Summary:
    """Return mean, standard deviation and Student's interval.

        s² = Σ (x − x̄)² / (n − 1)        x̄ ± t(0.975, n − 1) · s / √n

    Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    n = len(values)
    mean = float(np.mean(values)) if n else np.nan
    if n < 2:
        return Summary(n, mean, np.nan, np.nan, np.nan)
    std = float(np.std(values, ddof=1))
    margin = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * std / n**0.5
    return Summary(n, mean, std, mean - margin, mean + margin)


def spread_of_two(values: Sequence[float]) -> float:
    """Return what the difference of two more values is below, in 95 of 100 cases.

    t(0.975, n − 1) · s · √2, for at least two values that are independent and roughly normal.
    """
    std = float(np.std(values, ddof=1))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * std * 2**0.5


def bounded(found: Summary, highest: float = np.inf) -> Summary:
    """Return the summary of numbers above 0, with an interval that stays within 0 and `highest`.

    It is Student's on a scale without ends: the logarithm, or the logit for shares of 1, with the
    standard error of the delta method. It holds the mean, and is skewed near an end.

        logit x̄ ± t · s / (√n x̄ (1 − x̄))        log x̄ ± t · s / (√n x̄)

    Student's own interval of two accuracies of 70 and 85 % goes from −18 to 173 %, because
    t(0.975, 1) is 12.7.

    Korn and Graubard, Survey Methodology 24 (1998), for shares near 0 and 1.
    """
    mean, margin = found.mean, found.high - found.mean
    if found.n < 2 or not 0 < mean < highest:
        return found
    if highest == np.inf:
        limits = mean * np.exp([-margin / mean, min(margin / mean, LARGEST_EXPONENT)])
    else:
        share = mean / highest
        width = margin / highest / (share * (1 - share))
        limits = highest * special.expit(special.logit(share) + np.array([-width, width]))
    return replace(found, low=float(limits[0]), high=float(limits[1]))


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, at least one of `n` measured.

    Unlike the usual p ± z·√(p(1 − p)/n) it does not end beyond 1, nor shrink to nothing at p = 1.
    Wilson, Journal of the American Statistical Association 22 (1927).
    """
    interval = stats.binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the percentile bootstrap's interval of a mean; the same values have always the same.

    For what has no textbook interval: a loss, of which few images make the most; a difference of
    two shares of the same images. Efron, Annals of Statistics 7 (1979).
    """
    if np.ptp(values) < ROUNDING:
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=50,  # resamples in memory at a time
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=Rng(0)("bootstrap"),
    ).confidence_interval
    return float(found.low), float(found.high)


def paired_t(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the two-sided p-value of the paired t-test, at least two pairs.

    It compares runs of the same seed, so that what a seed does to both cancels. Where all
    differences are the same there is no spread to measure them by, and nothing is claimed: p = 1.
    """
    differences = np.subtract(ours, theirs)
    if np.ptp(differences) < ROUNDING:
        return 1.0
    return float(stats.ttest_rel(ours, theirs).pvalue)


def mcnemar(ours: Mask, theirs: Mask) -> float:
    """Return the two-sided p-value of McNemar's exact test, given who is right on each image.

    Images that both classify correctly, or both wrongly, say nothing. If neither is better, each
    of the others is a fair coin: B(b + c, ½). McNemar, Psychometrika 12 (1947); for classifiers
    recommended by Dietterich, Neural Computation 10 (1998).
    """
    only_ours = int((ours & ~theirs).sum())
    only_theirs = int((theirs & ~ours).sum())
    if only_ours + only_theirs == 0:
        return 1.0
    return float(stats.binomtest(only_ours, only_ours + only_theirs).pvalue)


def holm(p_values: Sequence[float], tests: int | None = None) -> list[float]:
    """Return the p-values, corrected for being many, in their order.

        p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) · p₍ⱼ₎),    p₍₁₎ ≤ p₍₂₎ ≤ ... ≤ p₍ₘ₎

    The chance of even one false claim stays below the level, however the tests depend on each
    other: here they all share the winner. SciPy's `false_discovery_control` promises less, a small
    share of false claims. Holm, Scandinavian Journal of Statistics 6 (1979).

    `tests` is m, where these are chosen from so many: the others are taken to show nothing.

    >>> holm([0.01, 0.04, 0.03]), holm([0.01], tests=3)
    ([0.03, 0.06, 0.06], [0.03])
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * ((tests or len(p)) - np.arange(len(p)))
    corrected = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(corrected[rank]) for rank in np.argsort(order)]


def pareto_front(costs: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Return the places that no other beats in both numbers, the smaller the better, by cost.

    >>> pareto_front([1, 2, 3, 4], [5, 3, 4, 1])
    [0, 1, 3]
    """
    front: list[int] = []
    for place in np.lexsort((losses, costs)).tolist():
        if not front or losses[place] < losses[front[-1]]:
            front.append(place)
    return front
