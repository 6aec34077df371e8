"""A run is closed with the truth about its end, in its folder and in the store."""

import json
from pathlib import Path

import pytest

from digit_exp.runs.errors import JobFailed
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import start_run
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.uri import locate
from tiny_runs import config

TRACKED = {"backend": "mlflow"}


class SecondSignal(KeyboardInterrupt):
    pass


@pytest.fixture(autouse=True)
def place(folder, monkeypatch):
    """The folder of a run; the command is started in the one above."""
    monkeypatch.chdir(folder)
    (folder / "run").mkdir()
    return folder / "run"


def stored():
    client = connect(locate(None, Path()))
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    return run, {file.path for file in client.list_artifacts(run.info.run_id)}


def test_an_exception_makes_the_run_failed_with_its_traceback_and_goes_on(place):
    with (
        pytest.raises(JobFailed, match="division by zero"),
        start_run(config(tracking=TRACKED, optimizer={"lr": 0.5}), place),
    ):
        1 / 0  # noqa: B018
    run, files = stored()
    record = RunRecord.read(place)
    assert run.info.status == record.status == "FAILED"
    assert record.run_id == run.info.run_id
    assert run.data.tags["digit_exp.error"] == "division by zero"
    assert run.data.params["optimizer.lr"] == "0.5"
    assert "traceback.txt" in files
    assert "ZeroDivisionError: division by zero" in (place / "traceback.txt").read_text()


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SecondSignal])
def test_an_interrupt_makes_the_run_killed(place, signal):
    with pytest.raises(signal), start_run(config(tracking=TRACKED), place):
        raise signal
    run, files = stored()
    assert run.info.status == RunRecord.read(place).status == "KILLED"
    assert "traceback.txt" not in files


def test_a_disk_that_takes_nothing_more_does_not_hide_how_a_run_ended(place, monkeypatch, caplog):
    def full(self, target):
        raise OSError(28, "No space left on device", str(target))

    def fail():
        with start_run(config(tracking=TRACKED), place) as run:
            monkeypatch.setattr(Path, "replace", full)
            run.record.summary = {"test_acc": 0.5}
            raise ValueError("wrong")

    with pytest.raises(JobFailed, match="wrong"):
        fail()
    assert "cannot write the final status" in caplog.text
    found, _ = stored()
    assert found.info.status == "FAILED"
    assert found.data.metrics == {"test_acc": 0.5}


def test_the_times_of_a_run_are_those_of_its_record(place):
    with start_run(config(tracking=TRACKED), place) as run:
        run.record.status = "FINISHED"
    found, _ = stored()
    record = json.loads((place / "run.json").read_text())
    assert record["started"] < record["ended"]
    assert found.info.start_time < found.info.end_time
