"""`resume=RUN trainer.epochs=N`: a longer run of one that has ended, as a run of its own."""

import json

import numpy as np
import pytest

from digit_exp.cli.main import main
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_epochs
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.reproduce import reproduce
from digit_exp.training.checkpoint import load_checkpoint

WORDS = ["schedule=constant", "trainer.early_stopping.enabled=false"]


@pytest.fixture
def origin(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: train(tmp_path / "outputs" / "a" / "b", *WORDS, *words)


def longer(folder, epochs, *words, code=0):
    before = {run.folder for run in Runs().all}
    assert main([f"resume={folder}", f"trainer.epochs={epochs}", *words]) == code
    new = [run.folder for run in Runs().all if run.folder not in before]
    return new[0] if new else None


def storage(folder):
    return load_checkpoint(folder / paths.LAST_CHECKPOINT).state.network.parameters.storage


def test_with_a_constant_rate_it_is_the_run_of_so_many_epochs(origin, train, tmp_path):
    folder = origin()
    record = (folder / "run.json").read_bytes()
    found = longer(folder, 5)
    whole = train(tmp_path / "whole", *WORDS, "trainer.epochs=5")
    np.testing.assert_array_equal(storage(found), storage(whole))
    assert [epoch.number for epoch in read_epochs(found)] == [1, 2, 3, 4, 5]
    assert (folder / "run.json").read_bytes() == record
    tags = RunRecord.read(found).tags
    assert tags["digit_exp.origin_epochs"] == "3"
    assert {"best.npz", "last.npz"} <= {file.name for file in (found / "checkpoints").iterdir()}


def test_what_the_schedule_does_is_said(origin):
    log = (longer(origin("schedule=cosine"), 6) / "digit_exp.log").read_text()
    assert "the schedule is that of 6 epochs" in log


def test_a_dry_run_shows_the_epochs_that_are_added(origin, capsys):
    assert longer(origin(), 9, "--dry-run", "--json") is None
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["state"], job["epochs_done"], job["epochs"]) == ("resumed", 3, 9)


def test_a_run_that_early_stopping_ended_is_not_ended_at_once(origin):
    folder = origin("trainer.early_stopping.enabled=true", "trainer.early_stopping.patience=1")
    done = load_checkpoint(folder / paths.LAST_CHECKPOINT).state.epoch
    found = longer(folder, done + 2)
    assert load_checkpoint(found / paths.LAST_CHECKPOINT).state.epoch > done


def test_it_cannot_be_reproduced_alone(origin, tmp_path):
    found = longer(origin(), 4)
    with pytest.raises(RunError, match="resume"):
        reproduce(Runs().find(str(found)), tmp_path / "again", track=False, tolerance=0)


@pytest.mark.parametrize(
    ("epochs", "words", "named"),
    [
        (3, [], "more than the 3 epochs"),
        (2, [], "trainer.epochs"),
        (9, ["optimizer.lr=1"], "optimizer.lr=1"),
        (9, ["-m"], "-m"),
        ("1,2", [], "trainer.epochs"),
    ],
)
def test_what_cannot_be_is_refused(origin, capsys, epochs, words, named):
    assert longer(origin(), epochs, *words, code=2) is None
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(("status", "reason"), [("KILLED", "interrupted"), ("FAILED", "diverged")])
def test_a_run_that_did_not_end_well_is_refused(origin, capsys, status, reason):
    folder = origin()
    record = RunRecord.read(folder)
    record.status, record.reason, record.summary = status, reason, {}
    record.write(folder)
    assert longer(folder, 9, code=2) is None
    assert str(folder) in capsys.readouterr().err
