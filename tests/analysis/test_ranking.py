"""Which jobs are replicates, who wins, and what is said of the others."""

import math

import numpy as np
import pytest

from digit_exp.analysis.effects import main_effect, pair_means, values_of
from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.ranking import rank
from digit_exp.analysis.replicates import grouped, varied
from digit_exp.analysis.report.findings import conclusion
from digit_exp.analysis.report.terminal import terminal_table
from digit_exp.analysis.significance import MCNEMAR, NO_PREDICTIONS, OTHER_IMAGES, PAIRED_T
from digit_exp.analysis.statistics import holm, paired_t

ACCURACY = Objective()
BASE = {"seed": 1, "run_name": None, "optimizer": "adam", "optimizer.lr": 0.001}


def job(number, score=0.9, *, status="FINISHED", metrics=None, predictions=None, **config):
    config = {key.replace("__", "."): value for key, value in config.items()}
    metrics = {"best_val_acc": score} if metrics is None else metrics
    return JobResult(number, None, status, BASE | config, metrics, predictions=lambda: predictions)


def jobs_of(table):
    """Return jobs from `{lr: [score of seed 1, score of seed 2, ...]}`."""
    pairs = [(lr, seed, s) for lr, scores in table.items() for seed, s in enumerate(scores, 1)]
    return [job(n, score, optimizer__lr=lr, seed=seed) for n, (lr, seed, score) in enumerate(pairs)]


def order(ranking):
    return [place.group.parameters["optimizer.lr"] for place in ranking.places]


# What differs


def test_seed_name_and_tracking_do_not_make_a_configuration():
    jobs = [job(0), job(1, seed=2, run_name="again", tracking__tags={"a": "b"})]
    assert varied(jobs) == []
    (group,) = grouped(jobs)
    assert (group.parameters, len(group.results)) == ({}, 2)


def test_values_that_follow_from_a_choice_are_no_parameters_of_their_own():
    sgd = {"optimizer": "sgd", "optimizer.lr": 0.01}
    adam = {"optimizer": "adam", "optimizer.lr": 0.001, "optimizer.beta1": 0.9}
    jobs = [JobResult(n, None, "FINISHED", config, {}) for n, config in enumerate((adam, sgd))]
    assert varied(jobs) == ["optimizer"]


def test_a_value_swept_within_a_choice_is_a_parameter():
    sgd = {"optimizer": "sgd", "optimizer.lr": 0.01}
    adam = [{"optimizer": "adam", "optimizer.lr": 0.1, "optimizer.beta1": b} for b in (0.8, 0.9)]
    jobs = [JobResult(n, None, "FINISHED", config, {}) for n, config in enumerate((sgd, *adam))]
    assert varied(jobs) == ["optimizer", "optimizer.beta1"]
    assert [group.parameters.get("optimizer.beta1") for group in grouped(jobs)] == [None, 0.8, 0.9]


@pytest.mark.parametrize("values", [([128, 64], [64]), (None, 1.0), ("relu", "tanh"), (True, 1)])
def test_values_of_every_kind_tell_configurations_apart(values):
    jobs = [job(n, model__x=value) for n, value in enumerate(values)]
    assert [group.parameters["model.x"] for group in grouped(jobs)] == list(values)


def test_jobs_come_in_the_order_of_the_plan_whoever_finished_first():
    jobs = jobs_of({0.1: [0.9, 0.8], 0.01: [0.7]})
    assert [group.results for group in grouped(jobs[::-1])] == [jobs[:2], jobs[2:]]


def test_the_same_seed_twice_is_one_replicate():
    (place,) = rank([job(0, 0.9), job(1, 0.9), job(2, 0.8, seed=2)]).places
    assert place.summary.n == 2


# Who wins


def test_the_mean_over_the_seeds_decides_and_not_the_luckiest_seed():
    ranking = rank(jobs_of({0.1: [0.99, 0.90], 0.01: [0.96, 0.96]}))
    assert order(ranking) == [0.01, 0.1]
    assert ranking.winner.summary.mean == pytest.approx(0.96)


def test_of_a_loss_the_lowest_wins():
    jobs = [job(n, metrics={"best_val_loss": n + 1.0}, optimizer__lr=0.1**n) for n in range(3)]
    assert order(rank(jobs, "best_val_loss")) == [1.0, 0.1, pytest.approx(0.01)]


def test_a_diverged_job_puts_its_configuration_behind_all_others():
    jobs = [
        *jobs_of({0.1: [0.99], 0.01: [0.5]}),
        job(2, 0.98, status="DIVERGED", optimizer__lr=0.1, seed=2),
    ]
    ranking = rank(jobs)
    assert order(ranking) == [0.01, 0.1]
    assert ranking.places[1].summary.mean == 0.99


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_job_that_failed_says_nothing_about_its_configuration(status):
    jobs = [*jobs_of({0.1: [0.99], 0.01: [0.5]}), job(2, 0.0, status=status, optimizer__lr=0.1)]
    ranking = rank(jobs)
    assert order(ranking) == [0.1, 0.01]
    assert ranking.winner.summary.n == 1


def test_a_pruned_job_counts_with_what_it_had_reached():
    jobs = [*jobs_of({0.1: [0.9]}), job(1, 0.8, status="PRUNED", optimizer__lr=0.1, seed=2)]
    (place,) = rank(jobs).places
    assert (place.summary.n, place.summary.mean) == (2, pytest.approx(0.85))


@pytest.mark.parametrize("metrics", [{}, {"best_val_acc": math.nan}, {"best_val_acc": math.inf}])
def test_a_job_without_a_number_comes_last(metrics):
    jobs = [job(0, metrics=metrics, optimizer__lr=0.1), job(1, 0.1, optimizer__lr=0.01)]
    ranking = rank(jobs)
    assert order(ranking) == [0.01, 0.1]
    assert not ranking.places[1].summary


@pytest.mark.parametrize("jobs", [[], [job(0, metrics={}, status="FAILED")]])
def test_without_a_number_there_is_no_winner(jobs):
    assert rank(jobs).winner is None


def test_the_interval_of_an_accuracy_stays_within_0_and_1():
    jobs = jobs_of({0.1: [0.99, 0.9999], 0.01: [0.001, 0.0]})
    ranking = rank(jobs)
    high, low = (place.summary for place in ranking.places)
    assert 0.99995 < high.high <= 1
    assert 0 <= low.low < 0.00005
    levels = main_effect([place.group for place in ranking.places], "optimizer.lr", ACCURACY)
    assert [(level.summary.low >= 0, level.summary.high <= 1) for level in levels] == [
        (True, True)
    ] * 2


# What is shown


def test_the_winner_is_compared_on_common_seeds_and_corrected_for_all_pairs():
    table = {
        0.1: [0.970, 0.972, 0.971, 0.973],
        0.01: [0.950, 0.953, 0.950, 0.954],
        0.001: [0.971, 0.970, 0.969, 0.974],
    }
    first, second, third = rank(jobs_of(table)).places
    raw = [paired_t(table[0.1], table[0.001]), paired_t(table[0.1], table[0.01])]
    assert first.comparison is None
    assert [second.comparison.p, third.comparison.p] == raw
    assert [second.comparison.corrected, third.comparison.corrected] == holm(raw, tests=3)
    assert second.comparison.verdict == "no difference shown"
    assert third.comparison.verdict == "worse"
    assert (third.comparison.test, third.comparison.n) == (PAIRED_T, 4)


def test_seeds_that_only_one_has_are_left_out_of_the_test():
    jobs = [
        *jobs_of({0.1: [0.97, 0.98, 0.96]}),
        *(job(9 + seed, 0.9 + 0.01 * seed, seed=seed, optimizer__lr=1.0) for seed in (2, 3, 4)),
    ]
    comparison = rank(jobs).places[1].comparison
    assert comparison.n == 2
    assert comparison.p == paired_t([0.98, 0.96], [0.92, 0.93])


def test_a_pruned_job_is_no_pair_of_a_finished_one():
    jobs = jobs_of({0.1: [0.97, 0.98], 0.01: [0.9]})
    jobs.append(job(3, 0.5, status="PRUNED", seed=2, optimizer__lr=0.01))
    assert rank(jobs).places[1].comparison is None


def predictions(path, labels, is_right):
    probabilities = np.full((len(labels), 3), 0.1, np.float32)
    probabilities[np.arange(len(labels)), np.where(is_right, labels, (labels + 1) % 3)] = 0.8
    np.savez(path, labels=labels, probabilities=probabilities)
    return path


def single_runs(tmp_path, ours, theirs, other_labels=None):
    labels = np.arange(len(ours)) % 3
    a = predictions(tmp_path / "a.npz", labels, ours)
    b = predictions(tmp_path / "b.npz", labels if other_labels is None else other_labels, theirs)
    return [
        job(0, 0.9, optimizer__lr=0.1, predictions=a),
        job(1, 0.8, optimizer__lr=0.01, predictions=b),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (8, 0, "this network is worse"),
        (5, 1, "no difference shown"),
        (0, 8, "this network is better"),
    ],
)
def test_single_runs_are_compared_on_the_validation_images(tmp_path, ours, theirs, verdict):
    right = np.array([True] * ours + [False] * theirs + [True] * 10)
    other = np.array([False] * ours + [True] * theirs + [True] * 10)
    comparison = rank(single_runs(tmp_path, right, other)).places[1].comparison
    assert comparison.test == MCNEMAR
    assert comparison.verdict == verdict
    total = ours + theirs
    tail = sum(math.comb(total, k) for k in range(min(ours, theirs) + 1))
    assert comparison.p == pytest.approx(2 * tail / 2**total)


def test_predictions_for_other_images_are_not_compared(tmp_path):
    right = np.ones(6, bool)
    jobs = single_runs(tmp_path, right, ~right, other_labels=np.zeros(6, int))
    place = rank(jobs).places[1]
    assert (place.comparison, place.not_compared) == (None, OTHER_IMAGES)


def test_runs_without_validation_predictions_are_not_compared(tmp_path):
    right = np.ones(6, bool)
    jobs = single_runs(tmp_path, right, ~right)
    (tmp_path / "b.npz").unlink()
    ranking = rank(jobs)
    assert (ranking.places[1].comparison, ranking.places[1].not_compared) == (None, NO_PREDICTIONS)
    assert NO_PREDICTIONS in terminal_table(ranking)
    assert NO_PREDICTIONS in conclusion(ranking)


def test_of_single_runs_the_conclusion_speaks_of_networks_only(tmp_path):
    right = np.array([True] * 20)
    ranking = rank(single_runs(tmp_path, right, np.array([False] * 10 + [True] * 10)))
    assert "network" in conclusion(ranking)
    assert "configuration" not in conclusion(ranking)


# Effects


def grid():
    rng = np.random.default_rng(0)
    cells = [(lr, size, seed) for lr in (0.01, 0.1) for size in (64, 32) for seed in (1, 2)]
    return [
        job(n, float(rng.uniform(0.8, 0.9)), optimizer__lr=lr, trainer__batch_size=size, seed=seed)
        for n, (lr, size, seed) in enumerate(cells)
    ]


def mean_where(jobs, **config):
    wanted = {key.replace("__", "."): value for key, value in config.items()}
    return np.mean([j.metrics["best_val_acc"] for j in jobs if wanted.items() <= j.config.items()])


def test_a_main_effect_is_the_mean_of_the_jobs_with_the_value():
    jobs = grid()
    levels = main_effect(grouped(jobs), "trainer.batch_size", ACCURACY)
    assert [level.value for level in levels] == [32, 64]
    for level in levels:
        expected = mean_where(jobs, trainer__batch_size=level.value)
        assert (level.summary.mean, level.summary.n) == (pytest.approx(expected), 4)


def test_a_cell_of_a_pair_is_the_mean_over_everything_else():
    jobs = grid()
    means = pair_means(grouped(jobs), "optimizer.lr", "trainer.batch_size", ACCURACY)
    expected = [
        [mean_where(jobs, optimizer__lr=lr, trainer__batch_size=size) for size in (32, 64)]
        for lr in (0.01, 0.1)
    ]
    assert means == pytest.approx(np.array(expected))


def test_a_pair_that_was_not_tried_has_no_number():
    means = pair_means(grouped(grid()[:6]), "optimizer.lr", "trainer.batch_size", ACCURACY)
    assert np.isnan(means).tolist() == [[False, False], [True, False]]


def test_numbers_are_in_order_and_other_values_as_they_came():
    jobs = [job(n, model__hidden=v) for n, v in enumerate(([256], [64], None))]
    assert values_of(grouped(jobs), "model.hidden") == [[256], [64], None]
    jobs = [job(n, optimizer__lr=v) for n, v in enumerate((0.1, 0.001, 0.01))]
    assert values_of(grouped(jobs), "optimizer.lr") == [0.001, 0.01, 0.1]


# In the terminal


def test_the_terminal_shows_the_ranking():
    jobs = jobs_of({0.1: [0.9701, 0.9725], 0.01: [0.95, 0.953]})
    jobs.append(job(9, metrics={}, status="FAILED", optimizer__lr=1.0))
    table = [line.split() for line in terminal_table(rank(jobs)).splitlines()]
    assert table[2] == ["1", "0.1", "97.13", "%", "1.59", "2", "–", "the", "winner"]
    assert table[3][:4] == ["2", "0.01", "95.15", "%"]
    assert table[4] == ["–", "1", "–", "–", "0", "–", "1", "failed"]


@pytest.mark.parametrize("count", [1, 8, 30])
def test_rows_that_differ_look_different_however_much_is_varied(count, terminal):
    terminal(100)
    jobs = [
        job(n, 0.9, **{f"trainer__{'parameter' * 2}{i}": [n, i, 1000] * 5 for i in range(count)})
        for n in range(30)
    ]
    lines = terminal_table(rank(jobs), rows=20).splitlines()
    assert max(map(len, lines)) <= 100
    first = [line.split("  ")[1] for line in lines[2:22]]
    assert count > 8 or len(set(first)) == 20
    assert lines[2].endswith("the winner")
    assert lines[-1] == "... and 10 more, in the report"


def test_the_terminal_says_so_when_nothing_came_to_a_number():
    assert "1 failed" in terminal_table(rank([job(0, metrics={}, status="FAILED")]))
