"""A disk that fills up while a run goes on costs files, which are named, and not the run."""

import errno
import logging
import shlex
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from digit_exp.cli.main import main
from digit_exp.npz import read_arrays
from digit_exp.registry import ConfigError
from digit_exp.runs import failures, paths
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.log_file import LogFile
from digit_exp.runs.runner import execute, log_failure, run_job
from digit_exp.tracking.base import Status
from tiny_runs import config, start


def run(folder):
    return start(Experiment.prepare(config(trainer={"epochs": 3}), folder))


def full_from(monkeypatch, n):
    """Let the disk be full from the n-th file on that is moved to its place.

    Of what is written before the first step, only the first checkpoint counts.
    """
    replace, moved = Path.replace, []

    def counted(self, target):
        if Path(target).name == "last.npz" or (moved and Path(target).name != "run.json"):
            moved.append(target)
        if len(moved) >= n:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", counted)
    return moved


@pytest.mark.parametrize(
    "n", [2, 4, 8, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 5, 6, 7, *range(9, 21)))]
)
def test_a_disk_that_is_full_from_the_nth_file_on_leaves_a_finished_run(tmp_path, monkeypatch, n):
    moved = full_from(monkeypatch, n)
    result = run(tmp_path)
    assert result.status is Status.FINISHED
    assert "test_acc" in result.summary
    refused = {str(Path(path).relative_to(tmp_path)) for path in moved[n - 1 :]}
    named = " ".join(result.not_written)
    for path in refused:
        assert Path(path).name in named
    assert (tmp_path / paths.MODEL).exists() is (paths.MODEL not in named)
    assert n > 8 or paths.MODEL in named
    whole = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in whole if path.name.startswith(".")]
    for path in whole:
        if path.suffix == ".npz":
            assert read_arrays(path)


@pytest.mark.parametrize("n", [0, 1])
def test_what_cannot_be_written_before_the_first_step_ends_the_run_there(tmp_path, monkeypatch, n):
    full_from(monkeypatch, n)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path)


def test_a_disk_that_has_room_again_makes_the_loss_good(tmp_path, monkeypatch):
    replace, moved = Path.replace, []

    def once(self, target):
        moved.append(Path(target).name)
        if moved.count("last.npz") == 2:
            moved.append("last.npz")
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", once)
    assert run(tmp_path).not_written == []


@pytest.mark.parametrize(
    ("place", "lost"),
    [
        ("digit_exp.plots.curves.learning_rate", "learning_rate.png"),
        ("digit_exp.plots.parts.canvas.save", "confusion_matrix.png"),
        ("digit_exp.runs.results.figures._figures", "figures"),
        ("digit_exp.runs.train_and_evaluate.write_model", paths.MODEL),
        ("digit_exp.analysis.predictions.Predictions.write", "test_predictions.npz"),
        ("digit_exp.analysis.predictions.Predictions.write", "val_predictions.npz"),
        ("digit_exp.runs.train_and_evaluate.calibrate", "temperature"),
    ],
)
def test_what_fails_after_training_is_a_loss_that_is_told(
    tmp_path, monkeypatch, drawing, place, lost
):
    def fail(*_, **__):
        raise RuntimeError("a mistake in a library")

    monkeypatch.setattr(place, fail)
    with drawing() if ".plots." in place else nullcontext():
        result = run(tmp_path)
    assert result.status is Status.FINISHED
    assert "test_acc" in result.summary
    assert any(lost in said and "a mistake in a library" in said for said in result.not_written)


@pytest.mark.parametrize("error", [MemoryError("too many images"), OSError(5, "I/O error")])
def test_a_test_set_that_cannot_be_read_leaves_a_finished_run_that_reads_it_later(
    tmp_path, monkeypatch, caplog, error
):
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs") / "day" / "it's"
    folder.mkdir(parents=True)

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("digit_exp.runs.train_and_evaluate.evaluate_test_set", fail)
        result = run_job(folder.absolute(), partial(execute, config()))
    record = RunRecord.read(folder)
    assert record.status == result.status == Status.FINISHED
    assert any("test_acc" in said for said in result.not_written)
    assert {"best_val_acc", "final_val_acc"} <= record.summary.keys()
    assert (folder / paths.MODEL).is_file()
    trained = read_arrays(folder / "checkpoints" / "last.npz")["storage"]

    *_, advice = (line for line in caplog.text.splitlines() if "resume=" in line)
    words = shlex.split(advice[advice.index("python -m digit_exp") :])[3:]
    assert main(words) == 0
    again = RunRecord.read(folder)
    assert again.status == "FINISHED"
    assert again.started == record.started
    assert {**again.summary, **record.summary}.keys() == again.summary.keys()
    assert 0 < again.summary["test_acc"] <= 1
    assert again.summary["best_epoch"] == record.summary["best_epoch"]
    assert again.summary["training_seconds"] > 0
    assert np.array_equal(read_arrays(folder / "checkpoints" / "last.npz")["storage"], trained)
    assert main(words) == 2  # there is nothing left to resume


def test_a_disk_without_room_is_told_before_the_run(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(failures.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ConfigError, match=r"1 MB free, .* 11 MB"):
        Experiment.prepare(config(), tmp_path)


def test_a_log_that_cannot_be_written_says_so_once(capsys):
    handler = LogFile("/dev/full")
    for number in range(3):
        handler.emit(logging.LogRecord("a", logging.INFO, "", 0, f"line {number}", (), None))
    said = capsys.readouterr().err
    assert said.count("/dev/full") == 1
    assert said.endswith(": No space left on device\n")
    with pytest.raises(OSError, match="No space left"):
        handler.close()


def test_weights_that_were_finite_are_what_a_diverged_run_leaves(tmp_path):
    diverging = config(optimizer={"name": "sgd", "lr": 1e30})
    start(Experiment.prepare(diverging, tmp_path))
    for name in ("last.npz", "last_finite.npz"):
        storage = read_arrays(tmp_path / "checkpoints" / name)["storage"]
        assert np.isfinite(storage).all()


def test_too_little_memory_is_a_sentence(caplog):
    failed = log_failure(MemoryError("Unable to allocate 296 GiB"))
    for told in (str(failed), caplog.text):  # a sweep has the first alone
        assert "(Unable to allocate 296 GiB): try a smaller model.hidden" in told
        assert "Traceback" not in told
