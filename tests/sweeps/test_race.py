"""Who is dropped from a race: the jobs are folders as runs leave them; nothing is trained."""

import json

import pytest

from digit_exp.config.schema import RunConfig
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.results.summary import write_config
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.race import Race
from digit_exp.sweeps.worker_settings import SweepContext
from tiny_runs import config

SEEDS = [1, 2, 3]
GOOD = {0.1: [0.97, 0.96, 0.98], 0.2: [0.969, 0.961, 0.979], 0.3: [0.971, 0.96, 0.981]}
POOR = {0.4: [0.90]}


def job(lr, seed) -> RunConfig:
    return config(seed=seed, optimizer={"name": "adam", "lr": lr})


@pytest.fixture
def race(tmp_path):
    """Return a function that makes a race of which the accuracies by learning rate are known."""

    def make(known, *, status="FINISHED", reason=None, is_on=True, objective="best_val_acc"):
        for lr, scores in known.items():
            for seed, score in zip(SEEDS, scores, strict=False):
                folder = tmp_path / config_hash(job(lr, seed), None)
                folder.mkdir()
                write_config(job(lr, seed), folder)
                is_last = (lr, seed) == (list(known)[-1], SEEDS[len(scores) - 1])
                record = RunRecord(None, "FINISHED", summary={objective: score})
                if is_last:
                    record.status, record.reason = status, reason
                record.write(folder)
        context = SweepContext(
            *("race", "command", str(tmp_path), 5 * len(SEEDS), ["optimizer.lr", "seed"]),
            objective=objective,
            seeds=SEEDS,
            race=is_on,
        )
        return Race(context, None)

    return make


def test_a_candidate_far_behind_gets_no_second_seed_and_the_reason_says_by_how_much(race):
    reason = race(GOOD | POOR).reason_to_drop(job(0.4, 2), 9)
    assert "behind the best by 7.1" in reason
    assert "1 seed" in reason


@pytest.mark.parametrize("lr", GOOD)
def test_those_that_are_alike_stay(race, lr):
    assert race({**GOOD, lr: GOOD[lr][:1]}).reason_to_drop(job(lr, 2), 9) is None


def test_every_candidate_has_its_first_seed(race):
    assert race(GOOD | {0.4: []}).reason_to_drop(job(0.4, 1), 9) is None


def test_without_a_race_nothing_is_dropped(race):
    assert race(GOOD | POOR, is_on=False).reason_to_drop(job(0.4, 2), 9) is None


def test_of_a_loss_less_is_better(race):
    losses = {lr: [1 - score for score in scores] for lr, scores in (GOOD | POOR).items()}
    found = race(losses, objective="best_val_loss")
    assert found.reason_to_drop(job(0.4, 2), 9) is not None
    assert found.reason_to_drop(job(0.1, 3), 9) is None


def test_what_diverged_is_dropped(race):
    diverged = race(GOOD | POOR, status="FAILED", reason="diverged")
    assert "diverged" in diverged.reason_to_drop(job(0.4, 2), 9)


def test_what_was_pruned_says_nothing(race):
    pruned = race(GOOD | POOR, status="KILLED", reason="pruned")
    assert pruned.reason_to_drop(job(0.4, 2), 9) is None


def test_what_was_dropped_is_a_job_of_the_report(race):
    found = race(GOOD | POOR)
    found.drop("ab", job(0.4, 2), 9, "too slow")
    (dropped,) = found.dropped()
    assert (dropped.status, dropped.number, dropped.reason) == ("DROPPED", 9, "too slow")
    assert dropped.config["optimizer.lr"] == 0.4
    assert json.dumps(dropped.config)
