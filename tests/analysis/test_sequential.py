"""The sequential test, in 2,000 simulated experiments each, looked at after every pair."""

import numpy as np
import pytest

from digit_exp.analysis.sequential import SequentialTest

EXPERIMENTS, MOST = 2_000, 60
TEST = SequentialTest(alpha=0.05)


def ever(differences, says, test=TEST):
    """Return the share of experiments in which an interval, after 2, 3, ... pairs, says it."""
    said = np.zeros(len(differences), bool)
    for n in range(2, differences.shape[1] + 1):
        said |= says(*test.interval(differences[:, :n]))
    return said.mean()


def excludes_zero(low, high):
    return (low > 0) | (high < 0)


def above_zero(low, high):
    return low > 0


def draws(effect=0.0, pairs=MOST, seed=0):
    rng = np.random.default_rng(seed)
    return effect + rng.standard_normal((EXPERIMENTS, pairs))


@pytest.mark.parametrize("spread", [1e-6, 1.0, 1e3])
def test_where_nothing_differs_it_says_so_wrongly_in_at_most_5_of_100_experiments(spread):
    assert ever(spread * draws(), excludes_zero) <= TEST.alpha


def test_a_t_test_looked_at_as_often_would_be_wrong_far_more_often():
    def student(low, high):
        return excludes_zero(low, high)

    class Student:
        def interval(self, d):
            margin = 2.0 * d.std(-1, ddof=1) / d.shape[-1] ** 0.5
            return d.mean(-1) - margin, d.mean(-1) + margin

    assert ever(draws(), student, Student()) > 0.2


@pytest.mark.parametrize("images", [40, 200, 6000])
def test_accuracies_on_few_images_are_held_to_the_same_rate(images):
    rng = np.random.default_rng(1)
    ours, theirs = rng.binomial(images, 0.97, (2, EXPERIMENTS, MOST)) / images
    assert ever(ours - theirs, excludes_zero, SequentialTest(resolution=1 / images)) <= 0.05


def test_heavy_tails_do_not_break_it():
    rng = np.random.default_rng(2)
    assert ever(rng.standard_t(3, (EXPERIMENTS, MOST)), excludes_zero) <= TEST.alpha


def test_skewed_runs_do_not_break_it_if_the_change_does_nothing():
    ours, theirs = np.random.default_rng(2).gamma(0.5, size=(2, EXPERIMENTS, MOST))
    assert ever(ours - theirs, excludes_zero) <= TEST.alpha


def test_differences_that_are_skewed_themselves_are_the_stated_limit():
    skewed = np.random.default_rng(2).gamma(2.0, size=(EXPERIMENTS, MOST)) - 2.0
    assert TEST.alpha < ever(skewed, excludes_zero) <= 2 * TEST.alpha


@pytest.mark.parametrize(
    ("effect", "pairs", "power"), [(4.0, 5, 0.8), (3.0, 6, 0.8), (2.0, 8, 0.75)]
)
def test_a_clear_effect_is_found_within_eight_pairs(effect, pairs, power):
    assert ever(draws(effect, pairs), above_zero) >= power


def test_the_interval_holds_the_mean_at_all_times():
    def misses(low, high):
        return (low > 1.0) | (high < 1.0)

    assert ever(draws(1.0), misses) <= TEST.alpha


def test_two_pairs_decide_nothing_whatever_they_are():
    assert TEST.decide([0.5, 0.5]) == "undecided"
    assert TEST.decide([0.5]) == "undecided"


@pytest.mark.parametrize(
    ("differences", "decision"),
    [
        ([0.010, 0.011, 0.012, 0.010, 0.011], "better"),
        ([-0.010, -0.011, -0.012, -0.010, -0.011], "worse"),
        ([0.0001, -0.0001, 0.0, 0.0002, -0.0001], "no difference"),
        ([0.010, -0.011, 0.012, -0.010, 0.011], "undecided"),
        ([0.0, 0.0, 0.0], "no difference"),
    ],
)
def test_decisions(differences, decision):
    assert SequentialTest(resolution=1e-4).decide(differences) == decision


def test_one_direction_is_claimed_wrongly_at_half_the_rate():
    assert ever(draws(), above_zero) <= TEST.alpha / 2
