"""A store that fails at any moment costs no metric, doubles none, and holds nobody up."""

import errno
import json
import sqlite3
import threading
from pathlib import Path
from urllib.parse import unquote

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from requests import HTTPError, Response

from digit_exp.tracking.callback import LogEpochs
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker
from digit_exp.tracking.mlflow.run import open_tracker
from digit_exp.tracking.mlflow.sender import Doubtful, Sender, Unacceptable
from digit_exp.tracking.mlflow.spool import UNSENT, Spool
from digit_exp.tracking.mlflow.spooled import SpooledTracker
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.training.state import TrainState

EPOCHS = 3
CALLS = ("log_batch", "log_inputs", "log_artifact", "log_text", "set_terminated")


class Sick:
    """MLflow's client, which fails at the n-th call: before it does its work, or after it."""

    def __init__(self, client, n, when, names=CALLS):
        self._client, self._n, self._when, self._names, self.calls = client, n, when, names, 0

    def __getattr__(self, name):
        call = getattr(self._client, name)
        return self._failing(call) if name in self._names else call

    def _failing(self, call):
        def failing(*arguments, **options):
            self.calls += 1
            is_now = self.calls == self._n
            if is_now and self._when == "before":
                raise ConnectionResetError("connection reset")
            if is_now and self._when == "collision":
                raise MlflowException("UNIQUE constraint failed", error_code=BAD_REQUEST)
            done = call(*arguments, **options)
            if is_now:
                raise ConnectionResetError("the answer was lost")
            return done

        return failing


def metrics(epoch):
    return {"epoch": epoch, "train_loss": 1 / epoch, "val_acc": float("nan")}


def tell(tracker, note):
    """Say everything that a run says."""
    tracker.log_params({"seed": 1, "model.hidden": [8]})
    tracker.set_tags({"note": "x"})
    for epoch in range(1, EPOCHS + 1):
        tracker.log_epoch(epoch, metrics(epoch))
    tracker.log_summary({"test_acc": 0.5})
    tracker.log_file(note)
    tracker.log_text("text", "text.txt")
    tracker.end()


@pytest.fixture
def run(folder):
    """A new run in the store: the client and the run's id."""
    store = locate(None, folder)
    client = connect(store)
    experiment = client.create_experiment("digits", artifact_location=folder.as_uri())
    return client, client.create_run(experiment).info.run_id


def found(client, run_id):
    """Return everything that the store holds of the run."""
    run = client.get_run(run_id)
    points = {
        name: [(point.step, str(point.value)) for point in client.get_metric_history(run_id, name)]
        for name in run.data.metrics
    }
    files = sorted(Path(unquote(run.info.artifact_uri.removeprefix("file://"))).rglob("*"))
    tags = {name: text for name, text in run.data.tags.items() if not name.startswith("mlflow")}
    return run.info.status, run.data.params, tags, points, [file.name for file in files]


WHOLE = (
    "FINISHED",
    {"seed": "1", "model.hidden": "[8]"},
    {"note": "x"},
    {
        "train_loss": [(1, "1.0"), (2, "0.5"), (3, str(1 / 3))],
        "val_acc": [(1, "nan"), (2, "nan"), (3, "nan")],
        "test_acc": [(0, "0.5")],
    },
    ["note.txt", "text.txt"],
)


@pytest.mark.parametrize("when", ["before", "after", "collision"])
def test_a_store_that_fails_at_the_nth_call_has_everything_once_for_every_n(
    folder, run, when, tmp_path
):
    client, _ = run
    (note := tmp_path / "note.txt").write_text("note")
    experiment = client.get_experiment_by_name("digits").experiment_id
    for n in range(1, 100):
        run_id = client.create_run(experiment).info.run_id
        sick = Sick(client, n, when)
        target = MLflowTracker(sick, run_id, store=locate(None, folder), experiment_id="1")
        tracker = SpooledTracker(target, Spool(tmp_path / UNSENT))
        tell(tracker, note)
        assert tracker.close() == 0
        assert found(client, run_id) == WHOLE
        assert not (tmp_path / UNSENT).exists()
        if sick.calls < n:
            break
    assert n == 10  # nine calls were made, each of which has failed once


def test_what_a_store_that_is_gone_does_not_get_is_sent_when_the_run_goes_on(
    folder, tmp_path, caplog
):
    gone = threading.Event()
    (note := tmp_path / "note.txt").write_text("note")

    def flaky(self, *arguments, **options):
        if gone.is_set():
            raise ConnectionRefusedError("connection refused")
        return log_batch(self, *arguments, **options)

    from mlflow import MlflowClient

    log_batch = MlflowClient.log_batch
    spool = tmp_path / UNSENT
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", flaky)
        with open_tracker("mlflow", folder=folder, spool=spool) as tracker:
            gone.set()
            tell(tracker, note)
    assert f"kept in {spool}" in caplog.text
    assert f"resume={tracker.run_id}" in caplog.text
    before = found(connect(locate(None, folder)), tracker.run_id)
    assert before[3] == {}

    with open_tracker("mlflow", folder=folder, spool=spool, run_id=tracker.run_id) as again:
        # a resumed run says what its checkpoint knows; the spool knows it better
        history = [metrics(epoch) for epoch in range(1, EPOCHS + 1)]
        LogEpochs(again).on_fit_start(TrainState(None, {}, history=history, epoch=EPOCHS))
    status, params, _, points, files = found(connect(locate(None, folder)), tracker.run_id)
    assert (status, params, points, files) == (WHOLE[0], WHOLE[1], WHOLE[3], WHOLE[4])
    assert not spool.exists()


def test_a_summary_that_the_run_has_is_not_written_again(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_summary({"test_acc": 0.5, "best_epoch": 2})
    with open_tracker("mlflow", folder=folder, run_id=tracker.run_id) as again:
        again.log_summary({"test_acc": 0.5, "best_epoch": 3})
    points = found(connect(locate(None, folder)), tracker.run_id)[3]
    assert points == {"test_acc": [(0, "0.5")], "best_epoch": [(0, "2.0"), (0, "3.0")]}


def test_nobody_waits_for_a_store_that_stalls(tmp_path):
    stalled, answer = threading.Event(), threading.Event()
    taken = []

    def deliver(entry):
        stalled.set()
        answer.wait()
        taken.append(entry)

    sending = Sender(Spool(tmp_path / UNSENT), deliver)
    sending.post({"what": 0})
    stalled.wait()
    for number in range(1, 50):
        sending.post({"what": number})  # returns, though nothing was taken yet
    assert taken == []
    assert sending.close(patience=0) == 50
    answer.set()
    assert sending.close() == 0
    assert [entry["what"] for entry in taken] == list(range(50))


def test_a_store_that_refuses_at_once_is_given_up_after_some_tries():
    tries = []

    def deliver(entry):
        tries.append(entry)
        raise ConnectionRefusedError("connection refused")

    sending = Sender(Spool(), deliver)
    sending.post({"what": "epoch"})
    assert sending.close() == 1
    assert sending.reason == "connection refused"


@pytest.mark.parametrize("refusal", [Unacceptable, Doubtful])
def test_what_will_never_be_taken_holds_up_nothing_and_is_kept(tmp_path, caplog, refusal):
    taken = []

    def deliver(entry):
        if entry["what"] == "bad":
            raise refusal("too long")
        taken.append(entry["what"])

    sending = Sender(Spool(tmp_path / UNSENT), deliver)
    for what in ("good", "bad", "better"):
        sending.post({"what": what})
    assert sending.close() == 1
    assert taken == ["good", "better"]
    assert "MLflow does not take the bad: too long" in caplog.text
    assert [entry["what"] for entry in Spool(tmp_path / UNSENT).entries().values()] == ["bad"]


def test_what_is_refused_for_a_while_lets_others_go_first_and_is_sent_at_the_end():
    taken, passed, is_well = [], threading.Event(), threading.Event()

    def deliver(entry):
        if entry["what"] == "late" and not is_well.is_set():
            raise Doubtful("400 Bad Request")
        taken.append(entry["what"])
        if entry["what"] == "next":
            passed.set()

    sending = Sender(Spool(), deliver)
    for what in ("first", "late", "next"):
        sending.post({"what": what})
    assert passed.wait(timeout=30)
    is_well.set()
    sending.post({"what": "last"})
    assert sending.close() == 0
    assert taken == ["first", "next", "last", "late"]


def test_the_reason_is_what_the_database_said(folder, caplog):
    with open_tracker("mlflow", folder=folder) as tracker:
        database = sqlite3.connect(folder / "mlruns" / "mlflow.db")
        database.execute("drop table metrics")
        tracker.log_epoch(1, metrics(1))
        tracker.close()
        database.close()
    assert tracker.reason == "no such table: metrics"
    assert "Traceback" not in caplog.text


def too_large():
    response = Response()
    response.status_code = 413
    return HTTPError("413 Request Entity Too Large", response=response)


@pytest.mark.parametrize("error", [too_large(), PermissionError(errno.EACCES, "no permission")])
def test_a_file_that_is_not_taken_holds_up_nothing(folder, run, tmp_path, error):
    client, run_id = run
    (note := tmp_path / "note.txt").write_text("note")

    class Narrow(Sick):
        def log_artifact(self, *_):
            raise error

    store = locate(None, folder)
    target = MLflowTracker(Narrow(client, 0, ""), run_id, store=store, experiment_id="1")
    tracker = SpooledTracker(target, Spool(tmp_path / UNSENT))
    tell(tracker, note)
    assert tracker.close() == 1
    assert tracker.reason == str(error)
    assert found(client, run_id) == (*WHOLE[:4], ["text.txt"])


def test_a_run_that_was_deleted_meanwhile_does_not_end_training(folder, tmp_path):
    with open_tracker("mlflow", folder=folder, spool=tmp_path / UNSENT) as tracker:
        client = connect(locate(None, folder))
        client.delete_run(tracker.run_id)
        tracker.log_epoch(1, metrics(1))
        tracker.log_epoch(2, metrics(2))
    client.restore_run(tracker.run_id)
    spool = tmp_path / UNSENT
    with open_tracker("mlflow", folder=folder, spool=spool, run_id=tracker.run_id):
        pass
    assert [step for step, _ in found(client, tracker.run_id)[3]["train_loss"]] == [1, 2]


def test_a_spool_survives_being_cut_off_anywhere(tmp_path):
    file = tmp_path / UNSENT
    spool = Spool(file)
    for number in range(4):
        spool.append({"what": number})
    spool.remove(2)
    content = file.read_bytes()
    for end in range(len(content)):
        file.write_bytes(content[:end])
        again = Spool(file)
        kept = [entry["what"] for entry in again.entries().values()]
        assert kept in ([], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 2, 3])
        again.append({"what": "new"})
        assert [*Spool(file).entries().values()] == [
            *({"what": one} for one in kept),
            {"what": "new"},
        ]


def full(monkeypatch):
    """Let the disk be full: files can be made, but nothing can be written into them."""
    opened = Path.open

    def refused(self, mode="r", *arguments, **options):
        opened(self, mode, *arguments, **options).close()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "open", refused)


def test_a_spool_that_cannot_be_written_is_in_memory_and_says_so_once(tmp_path, caplog):
    spool = Spool(tmp_path / UNSENT)
    with pytest.MonkeyPatch.context() as patch:
        full(patch)
        spool.append({"what": 1})
        spool.append({"what": 2})
    assert caplog.text.count("cannot be written (No space left on device)") == 1
    assert not spool.is_kept
    assert [*tmp_path.iterdir()] == []  # not a file that says that nothing is unsent
    spool.remove(1)
    assert len(spool) == 1


@pytest.mark.parametrize("before", [0, 1])
def test_what_a_full_disk_did_not_take_is_written_when_it_has_room(tmp_path, before):
    spool = Spool(tmp_path / UNSENT)
    for number in range(before):
        spool.append({"what": number})
    with pytest.MonkeyPatch.context() as patch:
        full(patch)
        spool.append({"what": "while full"})
    spool.append({"what": "later"})
    assert spool.is_kept
    assert Spool(tmp_path / UNSENT).entries() == spool.entries()
    assert [file.name for file in tmp_path.iterdir()] == [UNSENT]


def test_the_file_is_there_only_while_something_is_unsent(tmp_path):
    spool = Spool(tmp_path / UNSENT)
    spool.append({"what": 1})
    line = (tmp_path / UNSENT).read_text().strip()
    assert json.loads(line) == {"number": 1, "entry": {"what": 1}}
    spool.remove(1)
    assert not (tmp_path / UNSENT).exists()
