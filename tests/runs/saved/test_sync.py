"""A store gets what it lacks of a run's folder, its own store or another one."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from digit_exp.cli.entry import main
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_contents
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.manage.sync import sync, unsent
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.sync.stored import NOTE, OUTBOX
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.model.log import model_of
from digit_exp.tracking.tags import Tag

OTHER = "sqlite:///other.db"


@pytest.fixture
def place(folder, train, monkeypatch):
    """The folder of a finished run that was not tracked; the command is started two above it."""
    monkeypatch.chdir(folder)
    return train(folder / "outputs" / "day" / "run")


def client(uri=None):
    return connect(locate(uri, Path.cwd()))


def stored(synced, uri=None):
    return client(uri).get_run(synced.run_id)


def test_a_run_that_was_not_tracked_belongs_to_its_store_when_it_is_there(place):
    synced = sync(place)
    contents = read_contents(place)
    assert synced.is_all
    assert contents.run_id == synced.run_id
    run = stored(synced)
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (contents.started, contents.ended)
    assert run.data.params.keys() == contents.params.keys()
    assert contents.summary.items() <= run.data.metrics.items()
    points = client().get_metric_history(synced.run_id, "val_acc")
    assert [(point.step, point.timestamp) for point in points] == [
        (epoch.number, epoch.time) for epoch in contents.epochs
    ]
    assert model_of(client(), synced.run_id) is not None
    assert len(run.inputs.dataset_inputs) == 2
    assert [one.run_id for one in Runs.of_folder().all] == [synced.run_id]
    again = sync(place)
    assert (again.run_id, again.sent) == (synced.run_id, [])


def test_a_copy_in_another_store_is_one_run_however_often_it_is_asked_for(place):
    own = sync(place)
    record = RunRecord.read(place)
    record.tags[Tag.PARENT] = "a run of the first store"
    record.write(place)
    copy = sync(place, OTHER)
    assert copy.run_id != own.run_id
    assert RunRecord.read(place).run_id == own.run_id
    run = stored(copy, OTHER)
    assert run.data.tags[Tag.COPY_OF] == own.run_id
    assert run.data.metrics == stored(own).data.metrics
    assert model_of(client(OTHER), copy.run_id) is not None
    (place / NOTE).unlink()
    again = sync(place, OTHER)
    assert again.run_id == copy.run_id
    assert all(what.startswith("the file") for what in again.sent)
    experiment = client(OTHER).get_experiment_by_name("digits").experiment_id
    assert len(client(OTHER).search_runs([experiment])) == 1


def test_a_copy_does_not_have_the_parent_of_the_original(place):
    record = RunRecord.read(place)
    record.tags[Tag.PARENT] = "a run of the first store"
    record.write(place)
    assert Tag.PARENT not in stored(sync(place, OTHER), OTHER).data.tags


def test_a_run_that_another_process_still_trains_is_refused(place):
    record = RunRecord.read(place)
    replace(record, status="RUNNING", pid=os.getppid()).write(place)
    with pytest.raises(TrackingError, match="is still going on"):
        sync(place)


def test_what_version_0_1_had_not_sent_is_sent_from_the_folder(place):
    store = client()
    run = store.create_run(store.create_experiment("digits"))
    record = RunRecord.read(place)
    record.run_id = run.info.run_id
    record.write(place)
    (place / paths.METRICS).unlink()
    assert not unsent(place)
    (place / OUTBOX).write_text("{}\n")
    assert unsent(place)
    assert sync(place).is_all
    assert not unsent(place)
    history = store.get_metric_history(record.run_id, "train_loss")
    assert [point.step for point in history] == [1, 2, 3]
    assert store.get_run(record.run_id).info.status == "FINISHED"


def test_the_command_says_what_it_sent_and_nothing_the_second_time(place, capsys):
    assert main(["sync", str(place), "--to", OTHER]) == 0
    first = capsys.readouterr().out
    assert "the data set" in first
    assert f"--uri {OTHER}" in first
    assert main(["sync", "latest", "--to", OTHER]) == 0
    assert "nothing was missing" in capsys.readouterr().out
    assert main(["sync", "nothing"]) == 2
