"""Draws docs/pictures/power.png: what the tests find, and how often they err, in simulations.

    PYTHONPATH=tests/analysis python docs/make/power.py [FILE]

Prints the same numbers as a table. Differences are normal; effects are in standard deviations of
the difference of one pair.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from test_racing import race

from digit_exp.analysis.sequential import SequentialTest
from digit_exp.plots.parts.canvas import (
    BLUE,
    GREEN,
    MUTED,
    PERCENT,
    VERMILION,
    Figure,
    draw,
    panels,
    sheet,
    style_axes,
)

PICTURE = Path(__file__).parents[1] / "pictures" / "power.png"
EXPERIMENTS, MOST = 2_000, 20
EFFECTS = {0.5: MUTED, 1.0: GREEN, 2.0: VERMILION, 3.0: BLUE}
CANDIDATES = 18

Shares = NDArray[np.float64]


def draws(effect: float, seed: int = 0) -> Shares:
    """Return the differences of many experiments, one a row."""
    rng = np.random.default_rng(seed)
    return effect + rng.standard_normal((EXPERIMENTS, MOST))


def said_by(excludes: NDArray[np.bool_]) -> Shares:
    """Return the share of experiments that have decided after each pair, or before."""
    return np.logical_or.accumulate(excludes, axis=1).mean(0)


def gate(differences: Shares, *, both_ways: bool = False) -> Shares:
    """Return the share of experiments of which the gate has said "better" after each pair."""
    test, says = SequentialTest(), np.zeros(differences.shape, bool)
    for n in range(1, MOST + 1):
        low, high = test.interval(differences[:, :n])
        says[:, n - 1] = (low > 0) | (both_ways & (high < 0))
    return said_by(says)


def peeking(differences: Shares) -> Shares:
    """Return the same of a t-test at 5 % that is repeated after every pair."""
    says = np.zeros(differences.shape, bool)
    for n in range(2, MOST + 1):
        says[:, n - 1] = stats.ttest_1samp(differences[:, :n], 0, axis=1).pvalue < 0.05
    return said_by(says)


def ranking(effect: float, pairs: int) -> Shares:
    """Return how often a paired t-test, corrected for so many pairs, shows an effect, by seeds."""
    found = np.zeros(MOST)
    for n in range(2, MOST + 1):
        p = stats.ttest_1samp(draws(effect)[:, :n], 0, axis=1).pvalue
        found[n - 1] = (p * pairs < 0.05).mean()
    return found


def figure() -> Figure:
    """Draw the four panels."""
    sheet_ = sheet(6.6, "What the tests find, and how often they err", "2,000 simulations each")
    first, second, third, fourth = panels(sheet_, 4, 2)
    n = np.arange(1, MOST + 1)
    for effect, color in EFFECTS.items():
        first.plot(n, gate(draws(effect)), color=color, label=f"effect {effect:g}")
        third.plot(n, ranking(effect, CANDIDATES * (CANDIDATES - 1) // 2), color=color)
    second.plot(n, peeking(draws(0.0)), color=VERMILION, label="t-test after every pair")
    second.plot(n, gate(draws(0.0), both_ways=True), color=BLUE, label="the sequential test")
    second.axhline(0.05, color=MUTED, linestyle=":")
    steps = np.array([0.1, 0.25, 0.5, 1.0, 2.0])
    raced = np.array([race(-step * np.arange(CANDIDATES), 3) for step in steps])
    fourth.plot(steps, raced[:, 1], color=BLUE, marker="o", label="jobs that are run")
    fourth.plot(steps, raced[:, 0], color=VERMILION, marker="o", label="the best one is dropped")
    style_axes(first, "digit-exp try: a better change is found", "pairs", "share")
    style_axes(second, "digit-exp try: no effect, but one is claimed", "pairs", "share")
    style_axes(third, f"a ranking of {CANDIDATES}: #2 is shown to be worse", "seeds", "share")
    title = f"a race of {CANDIDATES} candidates with 3 seeds"
    style_axes(fourth, title, "step from one candidate to the next, in deviations", "share")
    for axes in (first, second, third, fourth):
        axes.set_ylim(0, 0.35 if axes is second else 1.02)
        axes.yaxis.set_major_formatter(PERCENT)
        axes.set_xticks(steps if axes is fourth else (1, 3, 5, 8, 10, 12, 15, 20))
    for axes in (first, second, fourth):
        axes.legend()
    report(raced)
    return sheet_


def report(raced: Shares) -> None:
    """Print the numbers of the page."""
    for effect in EFFECTS:
        found = gate(draws(effect))
        ranked = ranking(effect, CANDIDATES * (CANDIDATES - 1) // 2)
        alone = ranking(effect, 1)
        print(
            f"effect {effect:g}: try, 3 4 5 6 8 12 20 pairs: {found[[2, 3, 4, 5, 7, 11, 19]]};"
            f" one t-test, 3 5 10 20: {alone[[2, 4, 9, 19]]}; ranking: {ranked[[2, 4, 9, 19]]}"
        )
    null = draws(0.0)
    print(f"no effect: try {gate(null, both_ways=True)[-1]:.3f}, t-test {peeking(null)[-1]:.3f}")
    print(f"race, dropped and run: {raced.round(3).tolist()}")


if __name__ == "__main__":
    draw(figure, Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
