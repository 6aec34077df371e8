"""A run in MLflow becomes equal to a folder: whatever fails, nothing is lost or doubled."""

import errno
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from requests import HTTPError, Response
from sick import Refusing, Sick

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.classifier import Classifier
from digit_exp.runs import paths
from digit_exp.tracking.base import Epoch, RunContents
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.sync import mlflow_tracker, update_run
from digit_exp.tracking.mlflow.sync.mlflow_tracker import MLflowTracker
from digit_exp.tracking.mlflow.sync.stored import NOTE, OUTBOX, is_unsent
from digit_exp.tracking.mlflow.sync.update_run import Synchronizer
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.model.log import model_of
from tracked_runs import epochs, tracked

FILES = ["note.txt", "figures/loss.png"]
WHOLE = (
    "FINISHED",
    {"seed": "1", "model.hidden": "[8]"},
    {"note": "x"},
    {
        "train_loss": [(1, "1.0"), (2, "0.5"), (3, str(1 / 3))],
        "val_acc": [(1, "nan"), (2, "nan"), (3, "nan")],
        "test_acc": [(0, "0.5")],
        "system/cpu_utilization_percentage": [(3, "50.0"), (8, "25.0")],
    },
    ["loss.png", "note.txt"],
    1,
    ["tiny-test", "tiny-train"],
)


@pytest.fixture
def store(folder):
    return locate(None, folder)


@pytest.fixture
def client(store, folder):
    client = connect(store)
    client.create_experiment("digits", artifact_location=(folder / "artifacts").as_uri())
    return client


@pytest.fixture
def contents(tmp_path):
    """The folder of a run that has finished, with all that a run can have."""
    place = tmp_path / "a run"
    for name in FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    network = NetworkBuilder().input(8, 8).dense(10).build(seed=3)
    return RunContents(
        place,
        status="FINISHED",
        ended=1_000_000_000_000,
        tags={"note": "x"},
        params={"seed": 1, "model.hidden": [8]},
        epochs=epochs(*({"train_loss": 1 / n, "val_acc": float("nan")} for n in (1, 2, 3))),
        samples=[
            Epoch(second, 1000 * second, {"system/cpu_utilization_percentage": share})
            for second, share in ((3, 50.0), (8, 25.0))
        ],
        summary={"test_acc": 0.5},
        dataset={"name": "tiny", "digest": "0123" * 16, "train": [7, 4, 5], "test": [3, 4, 5]},
        files=FILES,
        network=Classifier(network, (8, 8), 1.0).save(place / paths.MODEL),
    )


def new_run(client):
    return client.create_run(client.get_experiment_by_name("digits").experiment_id).info.run_id


def sync_of(client, run_id, contents):
    return Synchronizer(client, run_id, "1", contents.folder)


def follow(client, run_id, contents, store):
    """Sync in the background, as a run does."""
    tracker = MLflowTracker(sync_of(client, run_id, contents), store)
    tracker.follow(lambda: contents)
    return tracker


def found(client, run_id):
    """Return everything that the store holds of the run."""
    run = client.get_run(run_id)
    points = {
        name: [(point.step, str(point.value)) for point in client.get_metric_history(run_id, name)]
        for name in run.data.metrics
    }
    place = Path(unquote(run.info.artifact_uri.removeprefix("file://")))
    files = sorted(path.name for path in place.rglob("*") if path.is_file())
    tags = {name: text for name, text in run.data.tags.items() if not name.startswith("mlflow")}
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    assert {model.status for model in models} <= {"READY"}
    inputs = sorted(item.dataset.name for item in run.inputs.dataset_inputs)
    return run.info.status, run.data.params, tags, points, files, len(models), inputs


@pytest.mark.parametrize("when", ["before", "after", "collision"])
def test_a_store_that_fails_at_the_nth_call_has_everything_once_for_every_n(
    client, contents, store, when
):
    for n in range(1, 100):
        run_id = new_run(client)
        sick = Sick(client, n, when)
        assert follow(sick, run_id, contents, store).close(patience=45)
        assert found(client, run_id) == WHOLE
        assert not is_unsent(contents.folder, run_id)
        (contents.folder / NOTE).unlink()
        if sick.calls < n:
            break
    assert n > 15


def test_a_number_that_is_measured_now_is_not_doubled_when_the_answer_is_lost(client, contents):
    lost = []

    def log_batch(run_id, **kinds):
        client.log_batch(run_id, **kinds)
        if any(point.key == "test_acc" for point in kinds.get("metrics", ())) and not lost:
            lost.append(kinds)
            raise ConnectionResetError("the answer was lost")

    run_id = new_run(client)
    sync = sync_of(Refusing(client, log_batch=log_batch), run_id, contents)
    going_on = replace(contents, status="RUNNING", ended=None)
    with pytest.raises(ConnectionResetError):
        sync.send(going_on)
    sync.send(going_on)
    assert lost
    assert len(client.get_metric_history(run_id, "test_acc")) == 1


def test_a_second_time_nothing_is_sent_whoever_asks(client, contents):
    run_id = new_run(client)
    first = sync_of(client, run_id, contents)
    first.send(contents)
    assert "the model" in first.sent
    for again in (first, sync_of(client, run_id, contents)):
        before = list(again.sent)
        again.send(contents)
        assert again.sent == before
    assert found(client, run_id) == WHOLE


def test_only_what_has_changed_or_is_missing_is_sent(client, contents):
    run_id = new_run(client)
    sync_of(client, run_id, contents).send(contents)
    (contents.folder / "note.txt").unlink()
    (contents.folder / "note.txt").write_text("NOTE.TXT")  # of the same size
    place = Path(unquote(client.get_run(run_id).info.artifact_uri.removeprefix("file://")))
    (place / "figures" / "loss.png").unlink()
    again = sync_of(client, run_id, contents)
    again.send(replace(contents, tags={"note": "y"}))
    assert again.sent == ["the tag note", "the file note.txt", "the file figures/loss.png"]
    assert (place / "note.txt").read_text() == "NOTE.TXT"


def test_a_folder_without_its_note_sends_files_again_and_doubles_nothing(client, contents):
    run_id = new_run(client)
    sync_of(client, run_id, contents).send(contents)
    (contents.folder / NOTE).unlink()
    again = sync_of(client, run_id, contents)
    again.send(contents)
    assert again.sent == ["the file note.txt", "the file figures/loss.png"]
    assert found(client, run_id) == WHOLE


def test_hundreds_of_epochs_and_parameters_take_a_few_calls(client, contents):
    calls = []

    def log_batch(*arguments, **kinds):
        calls.append({kind: len(items) for kind, items in kinds.items()})
        return client.log_batch(*arguments, **kinds)

    many = [{"train_loss": n, **{f"m{i}": i for i in range(9)}} for n in range(250)]
    contents = replace(
        contents,
        epochs=epochs(*many),
        samples=(),
        params={f"p{number}": number for number in range(150)},
    )
    run_id = new_run(client)
    sync_of(Refusing(client, log_batch=log_batch), run_id, contents).send(contents)
    assert len(client.get_metric_history(run_id, "m8")) == 250
    sizes = [1000, 1000, 500]
    assert [call["metrics"] for call in calls if call.get("metrics", 0) > 1] == sizes
    assert [call["params"] for call in calls if "params" in call] == [100, 50]


@pytest.mark.parametrize("kind", ["tags", "params"])
def test_one_name_that_mlflow_refuses_takes_no_other_with_it(client, contents, store, kind):
    run_id = new_run(client)
    before = getattr(contents, kind)
    many = {f"k{number}": f"{number}" for number in range(120)}
    wrong = replace(contents, **{kind: {**before, "who@where": "me", **many}})
    tracker = follow(client, run_id, wrong, store)
    assert not tracker.close(patience=45)
    assert list(tracker.sync.refused) == [f"the {kind.removesuffix('s')} who@where"]
    assert "Names may only contain" in tracker.sync.refused.popitem()[1]
    whole = list(WHOLE)
    whole[1 if kind == "params" else 2] = {**whole[1 if kind == "params" else 2], **many}
    assert found(client, run_id) == tuple(whole)
    assert is_unsent(contents.folder, run_id)


def too_large():
    response = Response()
    response.status_code = 413
    return HTTPError("413 Request Entity Too Large", response=response)


@pytest.mark.parametrize("error", [too_large(), PermissionError(errno.EACCES, "no permission")])
def test_a_file_that_is_not_taken_holds_up_nothing_and_is_told(
    client, contents, store, error, caplog
):
    tries = []

    def log_artifact(run_id, path, folder=None):
        if path.endswith("note.txt"):
            tries.append(path)
            raise error
        client.log_artifact(run_id, path, folder)

    run_id = new_run(client)
    tracker = follow(Refusing(client, log_artifact=log_artifact), run_id, contents, store)
    assert not tracker.close(patience=45)
    assert len(tries) <= 2 * update_run.TRIES
    assert found(client, run_id) == (*WHOLE[:4], ["loss.png"], *WHOLE[5:])
    assert "MLflow lacks the file note.txt" in caplog.text
    assert str(error) in caplog.text
    assert f"digit-exp sync '{contents.folder}'" in caplog.text
    sync_of(client, run_id, contents).send(contents)  # which lets it pass now
    assert found(client, run_id) == WHOLE


def test_files_that_cannot_be_sent_do_not_keep_the_status_from_being_told(client, contents, store):
    def log_artifact(*_):
        raise ConnectionRefusedError("the place for files is away")

    run_id = new_run(client)
    tracker = follow(Refusing(client, log_artifact=log_artifact), run_id, contents, store)
    assert not tracker.close(patience=45)
    assert found(client, run_id)[:4] == WHOLE[:4]


def test_a_checkpoint_that_rotation_deletes_before_it_is_sent_is_not_lacking(client, contents):
    def log_artifact(run_id, path, folder=None):
        Path(path).unlink()
        client.log_artifact(run_id, path, folder)

    (contents.folder / "checkpoints").mkdir()
    for name in ("1.npz", "2.npz"):
        (contents.folder / "checkpoints" / name).touch()
    names = ["checkpoints/1.npz", "checkpoints/2.npz"]
    (contents.folder / names[1]).unlink()
    run_id = new_run(client)
    sync = sync_of(Refusing(client, log_artifact=log_artifact), run_id, contents)
    sync.send(replace(contents, files=names))
    assert sync.refused == {}
    assert not is_unsent(contents.folder, run_id)


def test_what_is_refused_for_a_while_is_sent_at_the_end(client, contents):
    is_well = threading.Event()

    def log_inputs(*arguments):
        if not is_well.is_set():
            raise MlflowException("pool run dry", error_code=BAD_REQUEST)
        client.log_inputs(*arguments)

    run_id = new_run(client)
    held = replace(contents, status="RUNNING", ended=None)
    sync = sync_of(Refusing(client, log_inputs=log_inputs), run_id, contents)
    for _ in range(2 * update_run.TRIES):
        sync.send(held)
    assert list(sync.refused) == ["the data set"]
    assert not sync.has_hope
    is_well.set()
    sync.look_again()
    sync.send(contents)
    assert found(client, run_id) == WHOLE


def test_nobody_waits_for_a_store_that_stalls(client, contents, store):
    stalled, answer = threading.Event(), threading.Event()

    def log_batch(*arguments, **kinds):
        stalled.set()
        answer.wait(60)
        return client.log_batch(*arguments, **kinds)

    run_id = new_run(client)
    tracker = follow(Refusing(client, log_batch=log_batch), run_id, contents, store)
    assert stalled.wait(60)
    for _ in range(50):
        tracker.changed()  # returns, though nothing was taken yet
        tracker.check()
    assert not tracker.close(patience=0)
    assert found(client, run_id)[3] == {}
    answer.set()
    assert tracker.close(patience=45)
    assert found(client, run_id) == WHOLE


def test_what_a_store_that_is_gone_does_not_get_is_sent_later(client, contents, store, caplog):
    def gone(*_, **__):
        raise ConnectionRefusedError("connection refused")

    run_id = new_run(client)
    tracker = follow(Refusing(client, log_batch=gone, get_run=gone), run_id, contents, store)
    assert not tracker.close(patience=45)
    assert "connection refused" in caplog.text
    assert is_unsent(contents.folder, run_id)
    assert found(client, run_id)[3] == {}
    assert follow(client, run_id, contents, store).close(patience=45)
    assert found(client, run_id) == WHOLE
    assert model_of(client, run_id) is not None


def test_the_reason_is_what_the_database_said(folder, contents, caplog):
    with tracked(folder, place=contents.folder) as run:
        with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
            database.execute("drop table metrics")
        database.close()
        run.now(epochs=contents.epochs)
    assert "no such table: metrics" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_run_that_was_deleted_meanwhile_does_not_end_training(client, contents, store):
    run_id = new_run(client)
    client.delete_run(run_id)
    tracker = follow(client, run_id, contents, store)
    assert not tracker.close(patience=45)
    tracker.check()
    client.restore_run(run_id)
    sync_of(client, run_id, contents).send(contents)
    assert found(client, run_id) == WHOLE


def test_a_folder_that_another_process_has_gone_on_from_elsewhere_sends_nothing(
    folder, client, contents
):
    with tracked(folder, place=contents.folder) as run:
        run.close("KILLED")
    later = {"digit_exp.pid": "1", "digit_exp.host": "another", "digit_exp.since": "9999999999"}
    for name, text in later.items():
        client.set_tag(run.run_id, name, text)
    client.update_run(run.run_id, status="RUNNING")
    outdated = replace(run.contents, summary={"test_acc": 0.1})
    with pytest.raises(update_run.TakenOver, match="process 1 on another"):
        sync_of(client, run.run_id, contents).send(outdated)
    assert client.get_run(run.run_id).info.status == "RUNNING"
    assert client.get_run(run.run_id).data.metrics == {}


def test_a_run_that_has_ended_is_unsent_until_all_its_files_are_there(client, contents):
    run_id = new_run(client)
    sync = sync_of(client, run_id, contents)
    sync.send(contents, files=FILES[:1])
    assert is_unsent(contents.folder, run_id)
    sync.send(contents)
    assert not is_unsent(contents.folder, run_id)


@pytest.mark.parametrize("keeps", [True, False])
def test_checkpoints_are_sent_during_training_where_the_run_may_go_on_elsewhere(
    client, contents, store, keeps, monkeypatch
):
    monkeypatch.setattr(mlflow_tracker, "CHECKPOINT_SECONDS", 3600)
    (contents.folder / "checkpoints").mkdir()
    (contents.folder / "checkpoints" / "last.npz").write_text("1")
    held = [replace(contents, status="RUNNING", files=["checkpoints/last.npz", "note.txt"])]
    run_id = new_run(client)
    sent = threading.Event()

    def update_run(*arguments):
        sent.set()

    sick = Refusing(client, update_run=update_run)
    sync = sync_of(sick, run_id, contents)
    tracker = MLflowTracker(sync, store, keeps_checkpoints=keeps)
    client.set_terminated(run_id, "KILLED")  # so that a pass ends with a call that is seen here
    tracker.follow(lambda: held[0])
    assert sent.wait(60)
    names = ["last.npz", "note.txt"] if keeps else ["note.txt"]
    assert found(client, run_id)[4] == names
    held[0] = replace(held[0], status="FINISHED")
    assert tracker.close(patience=45)
    assert found(client, run_id)[4] == ["last.npz", "note.txt"]


def test_the_note_of_version_0_1_says_that_something_is_unsent(tmp_path):
    assert not is_unsent(tmp_path, "abc")
    (tmp_path / OUTBOX).touch()
    assert is_unsent(tmp_path, "abc")
    (tmp_path / NOTE).write_text('{"abc": {"is_all": true, "files": {}}}')
    assert not is_unsent(tmp_path, "abc")
    (tmp_path / NOTE).write_text('{"abc": {"is_')
    assert is_unsent(tmp_path, "abc")
