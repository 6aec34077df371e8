"""What the command of a sweep says and returns when its jobs cannot be run as planned."""

import json
import os
import signal

import pytest

from digit_exp.cli import main
from digit_exp.sweeps import launch, run_job
from digit_exp.tracking.base import TrackingError

TINY = [
    *("data=synthetic", "data.samples=200", "data.test_samples=50", "trainer.epochs=1"),
    *("model.hidden=[4]", "tracking=none"),
]


def die(cfg):
    """End the worker process as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_the_system_ends_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "_trial", die)
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert main.main(["-m", *TINY, "seed=1,2", *launcher]) == 1
    output = capsys.readouterr()
    assert "hydra.launcher.n_jobs" in output.err
    assert "Traceback" not in output.out + output.err
    assert list(tmp_path.glob("outputs/sweeps/*/report.html"))


def signalled(*_):
    """Raise what a library may make of a signal."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise OSError("a library's own error") from None


def test_a_signal_is_the_end_even_if_a_library_makes_another_error_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_job, "load_data", signalled)
    assert main.main(["-m", *TINY, "seed=1,2"]) == 128 + signal.SIGINT
    (record,) = tmp_path.glob("outputs/sweeps/*/*/run.json")
    assert json.loads(record.read_text())["status"] == "KILLED"


def test_a_report_that_fails_after_a_signal_is_told_and_the_signal_decides(
    tmp_path, monkeypatch, capsys
):
    def lost(*_):
        raise TrackingError("the store is gone")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_job, "load_data", signalled)
    monkeypatch.setattr(launch, "finish_sweep", lost)
    assert main.main(["-m", *TINY, "seed=1,2"]) == 128 + signal.SIGINT
    assert "the store is gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("hydra.sweeper.sampler=TPESample", "hydra.sweeper.sampler"),
        ("hydra.sweeper.space.optimizer.lr={type: flaot, low: 1, high: 2}", "optimizer.lr"),
        ("hydra.sweeper.space.optimizer.lr={type: float, low: -5, high: -1}", "optimizer.lr"),
        ("hydra.sweeper.space.model.hidden={type: categorical, choices: [[4], 8]}", "model.hidden"),
        ("hydra.sweeper.space.optimzer.lr={type: float, low: 1, high: 2}", "optimzer.lr"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path, monkeypatch, capsys, word, path
):
    monkeypatch.chdir(tmp_path)
    assert main.main([*TINY, "sweep=tpe", word]) == 2
    assert path in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
