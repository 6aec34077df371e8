"""The real command in a process of its own, in an empty folder, on a real SQLite store."""

import re
import signal
from pathlib import Path

import numpy as np
import pytest

from digit_exp.analysis.predictions import read_predictions
from digit_exp.training.checkpoint import load_checkpoint, load_network

TINY = ["data.train_size=2000", "trainer.epochs=2"]
UNTRACKED = ["tracking=none", "data=synthetic"]
LONG = ["trainer.epochs=60", "trainer.early_stopping.enabled=false", "augmentation=shift"]


def only_run(folder: Path) -> Path:
    (note,) = folder.glob("outputs/*/*/run.json")
    return note.parent


@pytest.fixture(scope="module")
def finished(tmp_path_factory, fresh_command):
    """Return the folder and the output of one tracked run of the main job, made small."""
    folder = tmp_path_factory.mktemp("a folder with späces")
    return folder, fresh_command.run(folder, *TINY).stdout


@pytest.fixture
def client(finished):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{finished[0]}/mlruns/mlflow.db")


@pytest.fixture
def tracked(client):
    experiment = client.get_experiment_by_name("digits")
    (tracked,) = client.search_runs([experiment.experiment_id])
    return tracked


def test_a_run_writes_to_outputs_and_mlruns_only(finished):
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == ["mlruns", "outputs"]
    made = only_run(folder)
    for name in ("config.yaml", "digit_exp.log", "checkpoints/best.npz", "checkpoints/last.npz"):
        assert (made / name).stat().st_size > 0
    assert len(list((made / "figures").glob("*.png"))) == 10


def test_a_run_says_what_it_does_and_how_to_look_at_it(finished, tracked):
    folder, printed = finished
    assert "2,000 training, 6,000 validation and 10,000 test images" in printed
    assert "109,386" in printed  # parameters of [128, 64]
    assert "data.train_size" in printed
    assert re.search(r"^Epoch 2/2 - loss: \d\.\d{4} - acc: \d\.\d{4} - val_loss", printed, re.M)
    assert "digit_exp ui" in printed
    assert tracked.info.run_id[:12] in printed
    log = (only_run(folder) / "digit_exp.log").read_text()
    assert "Epoch 2/2" in log


def test_the_store_holds_the_run_as_it_was(finished, tracked, client):
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params["optimizer.lr"] == "0.001"
    assert tracked.data.params["optimizer"] == "adam"
    assert tracked.data.tags["seed"] == "42"
    names = {"best_val_acc", "best_epoch", "test_acc", "test_loss"}
    assert names <= tracked.data.metrics.keys()
    for name in ("train_loss", "val_acc", "learning_rate", "gradient_norm", "images_per_second"):
        history = client.get_metric_history(tracked.info.run_id, name)
        assert [point.step for point in history] == [1, 2]
    assert tracked.inputs.dataset_inputs[0].dataset.name == "mnist-train"


def test_the_artifacts_of_a_run_can_be_read_back(finished, tracked, client):
    found = {file.path for file in client.list_artifacts(tracked.info.run_id)}
    assert {"config.yaml", "digit_exp.log", "checkpoints", "figures"} <= found
    files = {file.path for file in client.list_artifacts(tracked.info.run_id, "figures")}
    assert "figures/learning_curves.png" in files


def test_the_test_accuracy_is_that_of_the_best_checkpoint(finished, tracked):
    made = only_run(finished[0])
    found = read_predictions(made / "test_predictions.npz")
    accuracy = float((found.predicted == found.labels).mean())
    assert accuracy == pytest.approx(tracked.data.metrics["test_acc"])
    from digit_exp.data.sources import DATASETS

    test = DATASETS["mnist"]().load().test
    again = load_network(made / "checkpoints" / "best.npz").predict_proba(test.images)
    np.testing.assert_allclose(again, found.probabilities, rtol=1e-4, atol=1e-6)


def test_a_wrong_command_line_is_refused_whole_and_leaves_nothing(tmp_path, command):
    done = command.run(tmp_path, "optimizer.lrr=1", "model.hidden=[a]", "schedule=cosin", expect=2)
    for path in ("optimizer.lrr", "model.hidden", "schedule"):
        assert f"  {path}" in done.stderr
    assert "+" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_damaged_data_is_refused_before_a_run_is_opened(tmp_path, command):
    done = command.run(tmp_path, "data=idx", f"data.dir={tmp_path}", expect=1)
    assert "train-images" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "mlruns").exists()


def test_an_interrupted_run_is_killed_and_goes_on_in_the_same_run_to_the_same_weights(
    tmp_path, command
):
    words = ["data=synthetic", *LONG, "regularization.dropout=0.2", "trainer.ema=0.9"]
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    whole.mkdir()
    halved.mkdir()
    command.run(whole, *words, "tracking=none")
    code, printed = command.interrupt(halved, *words, after="Epoch 7/", by=signal.SIGINT)
    assert code == 130
    assert "Traceback" not in printed

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{halved}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    (killed,) = client.search_runs([experiment.experiment_id])
    assert killed.info.status == "KILLED"

    command.run(halved, f"resume={killed.info.run_id}")
    (resumed,) = client.search_runs([experiment.experiment_id])
    assert resumed.info.run_id == killed.info.run_id
    assert resumed.info.status == "FINISHED"
    steps = [point.step for point in client.get_metric_history(killed.info.run_id, "train_loss")]
    assert steps == list(range(1, 61))

    one, other = (
        load_checkpoint(only_run(folder) / "checkpoints" / "last.npz").state
        for folder in (whole, halved)
    )
    np.testing.assert_array_equal(one.evaluated, other.evaluated)
    for slot in one.slots:
        np.testing.assert_array_equal(one.slots[slot], other.slots[slot])


def test_sigterm_ends_a_run_with_its_own_exit_code(tmp_path, command):
    words = [*UNTRACKED, *LONG]
    code, printed = command.interrupt(tmp_path, *words, after="Epoch 3/", by=signal.SIGTERM)
    assert code == 143
    assert "resume=latest" in printed
    assert '"KILLED"' in (only_run(tmp_path) / "run.json").read_text()


def test_a_killed_process_leaves_a_run_that_can_be_resumed(tmp_path, command):
    words = [*UNTRACKED, *LONG]
    code, _ = command.interrupt(tmp_path, *words, after="Epoch 3/", by=signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "resuming after epoch" in command.run(tmp_path, "resume=latest").stdout


def test_a_finished_run_is_not_resumed(tmp_path, command):
    command.run(tmp_path, *UNTRACKED, "trainer.epochs=1")
    assert "finished" in command.run(tmp_path, "resume=latest", expect=2).stderr


def test_a_diverging_run_stops_and_says_so(tmp_path, command):
    done = command.run(tmp_path, *UNTRACKED, "optimizer=sgd", "optimizer.lr=1e30", expect=1)
    assert "try optimizer.lr=" in done.stdout
    assert done.stderr == ""
