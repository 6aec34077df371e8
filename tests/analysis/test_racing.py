"""The rule of a race, in 2,000 simulated races of which the truth is known."""

import numpy as np
import pytest

from digit_exp.analysis.racing import deficit

RACES = 2_000
SEEDS_SPREAD = 1.0


def race(levels, replicates, *, noise=1.0, in_rounds=True, rng=None):
    """Run races; return how often the first candidate was dropped, and the share of jobs run."""
    rng = rng or np.random.default_rng(0)
    count = len(levels)
    who = rng.permuted(np.tile(np.arange(count), (RACES, 1)), axis=1)
    levels, noise = np.asarray(levels, float), np.broadcast_to(noise, count)
    truth = levels[who][..., None] + SEEDS_SPREAD * rng.standard_normal((RACES, 1, replicates))
    truth = truth + noise[who][..., None] * rng.standard_normal((RACES, count, replicates))
    scores, dropped = np.full_like(truth, np.nan), np.zeros((RACES, count), bool)
    course = [(seed, place) for seed in range(replicates) for place in range(count)]
    if not in_rounds:
        course = [(seed, place) for place in range(count) for seed in range(replicates)]
    for seed, place in course:
        if in_rounds and seed > 0 and place == 0:  # the best so far go first
            means = np.where(dropped, -np.inf, np.nansum(scores, -1))
            order = np.argsort(-means, axis=1)
            who, dropped = (np.take_along_axis(a, order, 1) for a in (who, dropped))
            truth, scores = (np.take_along_axis(a, order[..., None], 1) for a in (truth, scores))
        if seed > 0:
            dropped[:, place] |= deficit(scores, place).is_too_large
        scores[:, place, seed] = np.where(dropped[:, place], np.nan, truth[:, place, seed])
    return (dropped & (who == 0)).any(1).mean(), np.isfinite(scores).mean()


@pytest.mark.parametrize("in_rounds", [True, False], ids=["grid", "search"])
@pytest.mark.parametrize(("candidates", "replicates"), [(2, 3), (5, 3), (18, 2), (18, 3)])
def test_the_best_of_equals_is_dropped_in_at_most_5_of_100_races(candidates, replicates, in_rounds):
    dropped, _ = race(np.zeros(candidates), replicates, in_rounds=in_rounds)
    assert dropped <= 0.05


def test_a_race_over_a_grid_with_a_clear_order_needs_less_than_60_percent_of_the_jobs():
    dropped, run = race(-np.arange(18.0), 3)
    assert dropped <= 0.05
    assert run < 0.6


def test_the_best_may_be_twice_as_noisy_as_the_others_if_it_is_one_deviation_better():
    dropped, _ = race([1.0, *[0.0] * 17], 3, noise=[2.0, *[1.0] * 17])
    assert dropped <= 0.05


def test_what_seeds_do_to_all_candidates_alike_is_no_noise():
    levels = np.array([[0.0, 5.0, 2.0], [1.0, 6.0, 3.1], [0.5, 5.6, 2.5], [-1.0, np.nan, np.nan]])
    shifted = levels + np.array([0.0, 100.0, -40.0])
    one, other = deficit(levels, 3), deficit(shifted, 3)
    assert one.is_too_large
    assert other.behind == pytest.approx(one.behind)
    assert other.limit == pytest.approx(one.limit)


@pytest.mark.parametrize(
    "scores",
    [
        [[1.0, np.nan], [0.0, np.nan]],  # no candidate has shown its noise
        [[1.0, 1.0], [1.0, 1.0], [0.9, np.nan]],  # nor have these, which are alike to the digit
        [[np.nan, 1.0], [np.nan, 1.2], [0.0, np.nan]],  # no seed in common
        [[1.0, 1.2], [1.1, 1.1], [np.nan, np.nan]],  # it has not begun
    ],
)
def test_nothing_is_dropped_where_nothing_can_be_known(scores):
    found = deficit(np.array(scores), len(scores) - 1)
    assert not found.is_too_large
