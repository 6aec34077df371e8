import json
import math
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest

from digit_exp.data.dataset import Dataset, Split
from digit_exp.tracking.base import Status, Tracker, TrackingError
from digit_exp.tracking.callback import LogEpochs
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker
from digit_exp.tracking.mlflow.run import open_tracker
from digit_exp.tracking.mlflow.uri import locate


class SecondSignal(KeyboardInterrupt):
    pass


def read(folder, tracker):
    return connect(locate(None, folder)).get_run(tracker.run_id)


def artifact(run, file):
    return Path(unquote(run.info.artifact_uri.removeprefix("file://"))) / file


def history(folder, tracker, key="train_loss"):
    points = connect(locate(None, folder)).get_metric_history(tracker.run_id, key)
    return [(point.step, point.value) for point in points]


def test_a_run_that_ends_is_finished_and_knows_who_it_is(folder):
    with open_tracker("mlflow", folder=folder, run_name="first", tags={"note": "x"}) as tracker:
        assert read(folder, tracker).info.status == "RUNNING"
    run = read(folder, tracker)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "first"
    wanted = {"note": "x", "digit_exp.kind": "trial", "digit_exp.pid": str(os.getpid())}
    assert wanted.items() <= run.data.tags.items()


def test_an_exception_makes_the_run_failed_with_its_traceback_and_goes_on(folder):
    with (
        pytest.raises(ZeroDivisionError),
        open_tracker("mlflow", folder=folder) as tracker,
    ):
        1 / 0  # noqa: B018
    run = read(folder, tracker)
    assert run.info.status == "FAILED"
    assert "ZeroDivisionError: division by zero" in artifact(run, "traceback.txt").read_text()


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SecondSignal])
def test_an_interrupt_makes_the_run_killed(folder, signal):
    with pytest.raises(signal), open_tracker("mlflow", folder=folder) as tracker:
        raise signal
    run = read(folder, tracker)
    assert run.info.status == "KILLED"
    assert not artifact(run, "traceback.txt").exists()


def test_an_experiment_that_stopped_itself_says_how_it_ended(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.status = Status.KILLED
    assert read(folder, tracker).info.status == "KILLED"


def test_a_store_that_fails_last_does_not_hide_why_the_run_failed(folder, monkeypatch, caplog):
    def unreachable(self, at=None):
        raise OSError("disk full")

    monkeypatch.setattr(MLflowTracker, "end", unreachable)
    with pytest.raises(ZeroDivisionError), open_tracker("mlflow", folder=folder):
        1 / 0  # noqa: B018
    assert "MLflow lacks 3 entries" in caplog.text
    assert "disk full" in caplog.text


def test_a_run_whose_traceback_cannot_be_kept_is_failed_all_the_same(folder, monkeypatch):
    def full(self, text, file):
        raise OSError("disk full")

    monkeypatch.setattr(MLflowTracker, "log_text", full)
    with (
        pytest.raises(ZeroDivisionError),
        open_tracker("mlflow", folder=folder) as tracker,
    ):
        1 / 0  # noqa: B018
    assert read(folder, tracker).info.status == "FAILED"


def test_parameters_are_spelled_as_in_yaml_however_many(folder):
    many = {f"many.p{i}": i for i in range(150)}
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_params(
            {"model.hidden": [128, 64], "optimizer.lr": 1e-08, "a": None, "b": True, **many}
        )
        tracker.log_params({"long": "x" * 7000})
    params = read(folder, tracker).data.params
    assert len(params.pop("long")) == 6000
    assert len(params) == 154
    assert {key: params[key] for key in ("model.hidden", "optimizer.lr", "a", "b")} == {
        "model.hidden": "[128, 64]",
        "optimizer.lr": "1e-08",
        "a": "null",
        "b": "true",
    }


def test_an_epoch_is_written_at_its_step_with_what_is_not_finite_as_nan(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_epoch(3, {"epoch": 3, "train_loss": math.inf, "norms/dense_1": np.float32(2)})
        tracker.log_summary({"best_epoch": 3})
    ((step, loss),) = history(folder, tracker)
    assert step == 3
    assert math.isnan(loss)
    assert history(folder, tracker, "norms/dense_1") == [(3, 2.0)]
    assert history(folder, tracker, "best_epoch") == [(0, 3.0)]
    assert history(folder, tracker, "epoch") == []


def test_an_epoch_is_one_call():
    calls = []
    client = SimpleNamespace(log_batch=lambda run, **kinds: calls.append((run, kinds)))
    store = locate(None, Path())
    tracker = MLflowTracker(client, "abc", store=store, experiment_id="1")
    tracker.log_epoch(1, {"train_loss": 0.5, "val_loss": 0.6, "learning_rate": 0.1})
    ((run, kinds),) = calls
    assert run == "abc"
    assert [metric.key for metric in kinds["metrics"]] == [
        "train_loss",
        "val_loss",
        "learning_rate",
    ]


def test_a_long_tag_becomes_a_file(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.set_tags({"note": "ö" * 9000})
    run = read(folder, tracker)
    assert run.data.tags["note"] == "see the artifact tags/note.txt"
    assert artifact(run, "tags/note.txt").read_text(encoding="utf-8") == "ö" * 9000


def test_files_and_texts_are_kept(folder, tmp_path):
    (tmp_path / "loss.png").write_bytes(b"png")
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_file(tmp_path / "loss.png", "figures")
        tracker.log_text("seed: 1", "config.yaml")
    run = read(folder, tracker)
    assert artifact(run, "figures/loss.png").read_bytes() == b"png"
    assert artifact(run, "config.yaml").read_text() == "seed: 1"


@pytest.mark.parametrize(("said", "times"), [("UNIQUE constraint failed", 2), ("disk full", 1)])
def test_a_collision_over_a_data_set_is_tried_again_and_nothing_else_is(said, times):
    from mlflow.exceptions import MlflowException

    calls = []

    def log_inputs(run_id, entities):
        calls.append(run_id)
        if len(calls) == 1:
            raise MlflowException(f"(sqlite3.IntegrityError) {said}: datasets.digest")

    client = SimpleNamespace(log_inputs=log_inputs)
    tracker = MLflowTracker(client, "run", store=None, experiment_id="1")
    with nullcontext() if times == 2 else pytest.raises(MlflowException):
        tracker.log_inputs([])
    assert len(calls) == times


def test_the_data_set_is_an_input_with_its_digest_and_shape(folder):
    images = np.zeros((10, 4, 5), np.uint8)
    everything = Split.of(images, np.zeros(10, np.intp))
    train, test = everything.select(np.arange(7)), everything.select(np.arange(7, 10))
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_dataset(Dataset("tiny", train, test, classes=1, digest="0123456789abcdef" * 4))
    inputs = {item.dataset.name: item for item in read(folder, tracker).inputs.dataset_inputs}
    assert list(inputs) == ["tiny-train", "tiny-test"]
    dataset = inputs["tiny-train"].dataset
    assert dataset.digest == "0123456789ab"
    assert json.loads(dataset.profile)["features_shape"] == [7, 4, 5]
    assert {tag.key: tag.value for tag in inputs["tiny-train"].tags} == {
        "mlflow.data.context": "train",
        "digest": "0123456789abcdef" * 4,
    }


def epochs(*numbers):
    return [{"epoch": n, "train_loss": 1 / n} for n in numbers]


def test_a_resumed_run_goes_on_without_doubling_or_missing_an_epoch(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_epoch(1, epochs(1)[0])
        tracker.status = Status.KILLED  # after the checkpoint of epoch 2, before it was logged
    with open_tracker("mlflow", folder=folder, run_id=tracker.run_id) as resumed:
        assert read(folder, resumed).info.status == "RUNNING"
        callback = LogEpochs(resumed)
        callback.on_fit_start(SimpleNamespace(epoch=2, history=epochs(1, 2)))
        callback.on_epoch_end(SimpleNamespace(epoch=3, history=epochs(1, 2, 3)), epochs(3)[0])
    assert resumed.run_id == tracker.run_id
    assert read(folder, resumed).info.status == "FINISHED"
    assert history(folder, resumed) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


def test_a_resumed_run_tags_the_parameters_that_differ(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.log_params({"seed": 1, "trainer.epochs": 5})
    with open_tracker("mlflow", folder=folder, run_id=tracker.run_id) as tracker:
        tracker.log_params({"seed": 1, "trainer.epochs": 9, "added": 2})
    run = read(folder, tracker)
    assert run.data.params == {"seed": "1", "trainer.epochs": "5", "added": "2"}
    assert run.data.tags["resumed_with.trainer.epochs"] == "9"
    assert "resumed_with.seed" not in run.data.tags


def test_only_a_known_run_can_be_resumed(folder):
    with (
        pytest.raises(TrackingError, match="has no run 'nope'"),
        open_tracker("mlflow", folder=folder, run_id="nope"),
    ):
        pass


def test_a_run_that_still_runs_in_another_process_cannot_be_resumed(folder):
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        open_tracker("mlflow", folder=folder) as tracker,
    ):
        tracker.set_tags({"digit_exp.pid": str(other.pid)})
        with (
            pytest.raises(TrackingError, match=f"still running, as process {other.pid}"),
            open_tracker("mlflow", folder=folder, run_id=tracker.run_id),
        ):
            pass
        other.communicate(b"\n")


def test_without_tracking_nothing_is_kept(tmp_path):
    with open_tracker("none", folder=tmp_path) as tracker:
        assert type(tracker) is Tracker
        tracker.log_epoch(1, {"train_loss": 0.5})
        assert tracker.where() == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_process_was_killed_is_called_so_at_the_next_start(folder):
    code = (
        "import os, sys, signal\nfrom pathlib import Path\n"
        "from digit_exp.tracking.mlflow.run import open_tracker\n"
        "with open_tracker('mlflow', folder=Path(sys.argv[1]), experiment='other') as tracker:\n"
        "    print(tracker.run_id, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True)
    dead = SimpleNamespace(run_id=killed.stdout.strip())
    assert read(folder, dead).info.status == "RUNNING"
    with open_tracker("mlflow", folder=folder) as tracker:
        assert read(folder, dead).info.status == "KILLED"
        assert read(folder, tracker).info.status == "RUNNING"


def test_a_run_that_was_ended_is_not_ended_again_as_something_else(folder):
    with open_tracker("mlflow", folder=folder) as tracker:
        tracker.end()
    run = read(folder, tracker)
    assert run.info.status == "FINISHED"
