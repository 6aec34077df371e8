"""Parameter importance: of a grid by analysis of variance, of a search by PED-ANOVA."""

import math
from itertools import product

import numpy as np
import pytest

from digit_exp.analysis.importance import importance_table, importances
from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.ranking import rank
from digit_exp.analysis.report.search import importance_line


def jobs_of(scores, keys=("a", "b")):
    """Return a job for each tuple of values and seed, with its score."""
    return [
        JobResult(
            n,
            None,
            "FINISHED",
            {**dict(zip(keys, values, strict=True)), "seed": seed},
            {"best_val_acc": score},
        )
        for n, ((values, seed), score) in enumerate(scores.items())
    ]


def grid(effect, noise=0.0, seeds=(1, 2, 3), levels=(0, 1, 2)):
    rng = np.random.default_rng(0)
    return rank(
        jobs_of(
            {
                ((a, b), seed): 0.5 + effect(a, b) + noise * rng.normal()
                for a, b, seed in product(levels, levels, seeds)
            }
        )
    )


def shares(ranking):
    return {one.name: one for one in importances(ranking)}


def test_the_shares_of_a_grid_are_its_sums_of_squares():
    found = shares(grid(lambda a, b: 0.03 * a + 0.01 * b))
    # the variances of the two effects are as 9 to 1
    assert found["a"].share == pytest.approx(0.9)
    assert found["b"].share == pytest.approx(0.1)
    assert found["a × b"].share == pytest.approx(0, abs=1e-9)


def test_an_interaction_is_named():
    found = shares(grid(lambda a, b: 0.01 * (a - 1) * (b - 1), noise=0.001))
    assert next(iter(found)) == "a × b"
    assert found["a × b"].low > 0.5
    assert found["a"].low < 0.001


@pytest.mark.parametrize("missing", [0, 4])
def test_missing_jobs_do_not_turn_one_effect_into_another(missing):
    results = grid(lambda a, b: 0.01 * a, noise=1e-5).results[missing:]
    found = shares(rank(results))
    assert found["a"].low > 0.9
    assert found["b"].share < 0.01


def test_the_interval_covers_the_true_share():
    """Effect and noise have the same variance: the true share is a half."""
    rng, covered = np.random.default_rng(1), 0
    spread = math.sqrt(2 / 3)  # of the levels 0, 1, 2
    for _ in range(200):
        scores = {
            ((a, 0), seed): a + spread * rng.normal() for a, seed in product(range(3), range(8))
        }
        one = shares(rank(jobs_of(scores)))["a"]
        covered += one.low <= 0.5 <= one.high
    assert covered >= 0.9 * 200


def test_of_noise_nothing_is_shown():
    rng, shown = np.random.default_rng(2), 0
    for _ in range(100):
        scores = {((a, 0), seed): rng.normal() for a, seed in product(range(3), range(4))}
        shown += shares(rank(jobs_of(scores)))["a"].low > 0
    assert shown <= 8  # 2.5 % each; 8 of 100 have a chance of less than 1 %


def test_without_replicates_the_interactions_are_the_error():
    found = importances(grid(lambda a, b: 0.03 * a, noise=0.001, seeds=(1,)))
    assert [one.name for one in found] == ["a", "b"]
    assert 0.5 < found[0].low <= found[0].share <= found[0].high <= 1
    assert found[1].low == 0


def test_one_parameter_without_replicates_has_no_interval():
    jobs = jobs_of({((a, 0), 1): 0.1 * a for a in range(3)})
    (one,) = importances(rank(jobs))
    assert (one.share, math.isnan(one.low)) == (pytest.approx(1), True)


@pytest.mark.parametrize("jobs", [[], jobs_of({((0, 0), 1): 0.5, ((1, 0), 1): 0.5})])
def test_where_nothing_differs_nothing_is_important(jobs):
    assert importances(rank(jobs)) == []
    assert importance_table(rank(jobs)).empty


@pytest.fixture(scope="module")
def search():
    rng = np.random.default_rng(0)
    scores = {}
    for seed in range(40):
        rate, other = float(10 ** rng.uniform(-4, -1)), float(rng.uniform(0, 1))
        scores[(rate, other), seed] = 0.9 - 0.05 * (math.log10(rate) + 2.5) ** 2
    return rank(jobs_of(scores, ("lr", "dropout")), searched={"lr": True, "dropout": False})


def test_of_a_search_the_parameter_that_decides_comes_first(search):
    table = importance_table(search)
    assert table["parameters"].tolist() == ["lr", "dropout"]
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"][0] > 0.7
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()


def test_the_importance_of_a_search_is_the_same_every_time(search):
    assert importance_table(search).equals(importance_table(search))


def test_a_search_of_few_jobs_has_no_importance(search):
    assert importances(rank(search.results[:9], searched=search.searched)) == []


def test_the_terminal_has_the_importance_in_a_line(search):
    line = importance_line(search)
    assert line.index("lr") < line.index("dropout")
    assert "%" in line
    assert importance_line(rank([])) is None
