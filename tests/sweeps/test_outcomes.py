"""How the jobs of a sweep, wherever they run, come to be lines on the console."""

import threading

import pytest

from digit_exp.sweeps import outcomes as following
from digit_exp.sweeps.outcomes import Outcome, OutcomeLog, ProgressPrinter
from digit_exp.sweeps.worker_settings import VARIABLE, SweepContext, current_sweep
from digit_exp.tracking.base import FolderMailbox


@pytest.fixture
def context(tmp_path):
    return SweepContext(
        name="it's ${mine}",
        command="now",
        folder=str(tmp_path),
        jobs=3,
        varied=["seed"],
        objective="best_val_acc",
    )


def test_a_context_travels_through_the_environment(context, monkeypatch):
    ((setting, text),) = context.environment.items()
    assert setting == f"hydra.job.env_set.{VARIABLE}"
    monkeypatch.setenv(VARIABLE, text)
    assert current_sweep() == context
    monkeypatch.delenv(VARIABLE)
    assert current_sweep() is None


def test_the_entries_of_a_command_are_not_those_of_another(context, tmp_path):
    outcomes = OutcomeLog(context, None)
    outcomes.add(Outcome(10, "b", "failed", reason="no data"))
    outcomes.add(Outcome(2, "a", "done", 0.5))
    assert [entry.number for entry in OutcomeLog(context, None).entries()] == [2, 10]
    assert [entry.number for entry in outcomes.entries(known={2})] == [10]
    other = SweepContext(**{**vars(context), "command": "then"})
    assert list(OutcomeLog(other, None).entries()) == []


def test_whether_a_job_failed_is_known_without_reading_entries(context, monkeypatch):
    outcomes = OutcomeLog(context, None)
    outcomes.add(Outcome(0, "a", "done", 0.5))
    assert not outcomes.has_failures()
    outcomes.add(Outcome(1, "b", "failed", reason="no data"))
    monkeypatch.setattr(FolderMailbox, "get", lambda *_: pytest.fail("an entry was read"))
    assert outcomes.has_failures()


def test_an_entry_that_is_just_being_written_waits_for_the_next_look(context, tmp_path):
    outcomes = OutcomeLog(context, None)
    outcomes.add(Outcome(0, "a", "done", 0.5))
    (tmp_path / "jobs/now/1.json").write_text('{"numb')
    assert [entry.number for entry in outcomes.entries()] == [0]


def test_every_job_has_its_line_before_the_follower_ends(context, capsys):
    outcomes = OutcomeLog(context, None)
    with ProgressPrinter(context, outcomes) as follower:
        outcomes.add(Outcome(1, "seed=2", "was done before", 0.5))
        outcomes.add(Outcome(0, "seed=1", "failed", reason="no data\nat all"))
        outcomes.add(Outcome(2, "seed=3", "done", 0.75))
    first, second, third = sorted(capsys.readouterr().out.splitlines(), key=lambda line: line[5:])
    assert first.endswith("job 0 failed: seed=1 - no data") or "left" in first
    assert "job 1 was done before: seed=2 - 50.00 % (best 50.00 %)" in second
    assert "job 2 done: seed=3 - 75.00 % (best 75.00 %)" in third
    assert {line[:5] for line in (first, second, third)} == {"[1/3]", "[2/3]", "[3/3]"}
    assert [entry.number for entry in follower.failures] == [0]


def test_a_job_that_ends_while_others_run_is_told_at_once(context, monkeypatch):
    told = threading.Event()
    monkeypatch.setattr(following, "print", lambda *_, **__: told.set(), raising=False)
    outcomes = OutcomeLog(context, None)
    with ProgressPrinter(context, outcomes):
        outcomes.add(Outcome(0, "seed=1", "done", 0.5))
        assert told.wait(timeout=30)
