"""Intervals, tests and corrections, held to SciPy, to published examples and to counting."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.statistics import Summary, holm, mcnemar, paired_t, pareto_front, summarize

# Student, "The probable error of a mean" (1908): hours of sleep gained with two drugs by the same
# ten patients. R ships it as `sleep`; its t.test(paired = TRUE) gives the numbers below.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_the_interval_is_that_of_students_sleep_data():
    summary = summarize(np.subtract(DRUG_2, DRUG_1).tolist())
    assert summary.mean == pytest.approx(1.58)
    assert (summary.low, summary.high) == pytest.approx((0.7001142, 2.4598858))


def test_the_paired_test_is_that_of_students_sleep_data():
    assert paired_t(DRUG_2, DRUG_1) == pytest.approx(0.002833, abs=5e-7)
    assert paired_t(DRUG_1, DRUG_2) == paired_t(DRUG_2, DRUG_1)


@given(st.lists(st.integers(0, 6000), min_size=2, max_size=12).filter(lambda n: len(set(n)) > 1))
def test_the_interval_is_scipys(right):
    accuracies = [count / 6000 for count in right]
    summary = summarize(accuracies)
    expected = stats.ttest_1samp(accuracies, 0).confidence_interval(0.95)
    assert (summary.low, summary.high) == pytest.approx(expected)


def test_one_value_has_a_mean_and_no_spread():
    summary = summarize([0.97])
    assert (summary.n, summary.mean) == (1, 0.97)
    assert all(map(math.isnan, (summary.std, summary.low, summary.high)))


def test_no_value_has_no_summary():
    assert not summarize([])


def test_equal_values_have_an_interval_of_no_width():
    assert summarize([0.5, 0.5]) == Summary(2, 0.5, 0.0, 0.5, 0.5)


@pytest.mark.parametrize("gap", [0.0, 0.001])
def test_differences_without_spread_claim_nothing(gap):
    ours = np.array([0.971, 0.972, 0.973])
    assert paired_t(ours + gap, ours) == 1.0


# (only we are right, only they are right, p): the exact test of statsmodels' own test suite,
# test_mcnemar_exact, whose values come from vassarstats.net.
@pytest.mark.parametrize(
    ("ours", "theirs", "p"),
    [(121, 59, 4e-06), (70, 59, 0.378688), (80, 59, 0.089452), (30, 60, 0.00206), (10, 10, 1.0)],
)
def test_mcnemar_gives_the_published_values(ours, theirs, p):
    right = np.array([True] * 101 + [True] * ours + [False] * theirs + [False] * 33)
    other = np.array([True] * 101 + [False] * ours + [True] * theirs + [False] * 33)
    assert mcnemar(right, other) == pytest.approx(p, abs=1e-6)


def test_mcnemar_counts_the_ways_a_coin_can_fall():
    # 5 of 6 disagreements are ours: P(X ≤ 1) + P(X ≥ 5) = 2 · (1 + 6) / 2⁶
    right, other = np.array([True] * 5 + [False]), np.array([False] * 5 + [True])
    assert mcnemar(right, other) == pytest.approx(14 / 64)


def test_mcnemar_of_equal_readings_claims_nothing():
    right = np.array([True, False, True])
    assert mcnemar(right, right) == 1.0


def test_holm_gives_the_values_worked_by_hand():
    # 4 · 0.005, 3 · 0.01, 2 · 0.03, then not less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 5), (5, 3), (18, 10)])
def test_the_best_of_equals_is_called_better_in_at_most_5_of_100_rankings(candidates, seeds):
    scores = np.random.default_rng(3).standard_normal((2_000, candidates, seeds))
    winner = scores.mean(-1).argmax(1)[:, None, None]
    p = stats.ttest_rel(np.take_along_axis(scores, winner, 1), scores, axis=-1).pvalue
    p = np.nan_to_num(p, nan=1.0)  # of the winner with itself
    pairs = candidates * (candidates - 1) // 2
    found = [min(holm(row, tests=pairs)) < 0.05 for row in p]
    assert np.mean(found) <= 0.055  # 0.05 and less than two standard errors of 2,000
    if candidates > 2:
        assert np.mean([min(holm(row, tests=candidates - 1)) < 0.05 for row in p]) > 0.055


def test_holm_of_nothing_is_nothing():
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step_as_its_paper_says(p_values):
    level = 0.05
    rejected = set()
    for step, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[place] * (len(p_values) - step) >= level:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(p_values)) if p < level} == rejected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_no_place_beats_one_on_the_pareto_front_and_one_there_matches_every_other(points):
    front = pareto_front([cost for cost, _ in points], [loss for _, loss in points])
    on_front = [points[place] for place in front]
    for (cost, loss), (other_cost, other_loss) in product(on_front, points):
        assert not (other_cost <= cost and other_loss <= loss) or (cost, loss) == (
            other_cost,
            other_loss,
        )
    for cost, loss in points:
        assert any(ours <= cost and theirs <= loss for ours, theirs in on_front)
    assert on_front == sorted(on_front)


@pytest.mark.parametrize("scores", [[0.7, 0.85], [0.99, 0.999, 1.0], [0.01, 0.2], [1.0, 1.0]])
def test_the_interval_of_an_accuracy_lies_within_0_and_1_and_holds_the_mean(scores):
    found = Objective("best_val_acc").summarize(scores)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.low == found.high) == (len(set(scores)) == 1)


def test_the_interval_of_a_loss_is_above_0():
    found = Objective("best_val_loss").summarize([0.05, 0.5])
    assert 0 < found.low < found.mean < found.high < math.inf


def test_far_from_its_ends_a_bounded_interval_is_students():
    scores = [0.5, 0.501, 0.502, 0.499]
    student, found = summarize(scores), Objective("test_acc").summarize(scores)
    assert (found.low, found.high) == pytest.approx((student.low, student.high), abs=1e-5)
