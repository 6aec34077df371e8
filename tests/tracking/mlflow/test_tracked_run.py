"""What MLflow holds of a run: spelled right, with the truth about its end, resumed or not."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from digit_exp.tracking.base import Tracker, TrackingError
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.uri import locate
from tracked_runs import epochs, owner, tracked

TESTS = Path(__file__).parents[2]
LOSSES = [{"train_loss": 1 / number} for number in (1, 2, 3)]


def read(folder, run):
    return connect(locate(None, folder)).get_run(run.run_id)


def artifact(folder, run, file):
    client = connect(locate(None, folder))
    return Path(client.download_artifacts(run.run_id, file, str(folder)))


def history(folder, run, key="train_loss"):
    points = connect(locate(None, folder)).get_metric_history(run.run_id, key)
    return [(point.step, point.value) for point in points]


def test_a_run_that_ends_is_finished_and_knows_who_it_is(folder):
    with tracked(folder, name="first", tags={"note": "x"}, started=1_000) as run:
        assert read(folder, run).info.status == "RUNNING"
    found = read(folder, run)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert (found.info.start_time, found.info.end_time) == (1_000, run.contents.ended)
    wanted = {"note": "x", "digit_exp.kind": "trial", "digit_exp.pid": str(os.getpid())}
    assert wanted.items() <= found.data.tags.items()


@pytest.mark.parametrize("status", ["KILLED", "FAILED"])
def test_a_run_ends_as_its_folder_says(folder, status):
    with tracked(folder) as run:
        run.close(status)
    assert read(folder, run).info.status == status


def test_parameters_are_spelled_as_in_yaml_however_many(folder):
    some = {"model.hidden": [128, 64], "optimizer.lr": 1e-08, "a": None, "b": True}
    with tracked(folder) as run:
        run.now(params={**some, **{f"many.p{i}": i for i in range(150)}, "long": "x" * 7000})
    params = read(folder, run).data.params
    assert len(params.pop("long")) == 6000
    assert len(params) == 154
    assert {key: params[key] for key in some} == {
        "model.hidden": "[128, 64]",
        "optimizer.lr": "1e-08",
        "a": "null",
        "b": "true",
    }


def test_an_epoch_is_written_at_its_step_with_what_is_not_finite_as_nan(folder):
    with tracked(folder) as run:
        found = {"train_loss": math.inf, "norms/dense_1": np.float32(2)}
        run.now(epochs=epochs(found), summary={"best_epoch": 3})
    ((step, loss),) = history(folder, run)
    assert step == 1
    assert math.isnan(loss)
    assert history(folder, run, "norms/dense_1") == [(1, 2.0)]
    assert history(folder, run, "best_epoch") == [(0, 3.0)]


def test_a_long_tag_becomes_a_file_and_another_one_if_it_changes(folder):
    with tracked(folder, tags={"note": "ö" * 9000}) as run:
        pass
    first = read(folder, run).data.tags["note"]
    assert first.startswith("see the artifact tags/note.txt")
    assert artifact(folder, run, "tags/note.txt").read_text(encoding="utf-8") == "ö" * 9000
    with tracked(folder, run_id=run.run_id, tags={"note": "a" * 9000}):
        pass
    assert read(folder, run).data.tags["note"] != first
    assert artifact(folder, run, "tags/note.txt").read_text() == "a" * 9000


def test_files_are_kept_at_their_paths(folder, tmp_path):
    place = tmp_path / "mine"
    (place / "figures").mkdir(parents=True)
    (place / "figures" / "loss.png").write_bytes(b"png")
    (place / "config.yaml").write_text("seed: 1")
    with tracked(folder, place=place, files=["figures/loss.png", "config.yaml"]) as run:
        pass
    assert artifact(folder, run, "figures/loss.png").read_bytes() == b"png"
    assert artifact(folder, run, "config.yaml").read_text() == "seed: 1"


def test_the_data_set_is_an_input_with_its_digest_and_shape(folder):
    digest = "0123456789abcdef" * 4
    dataset = {"name": "tiny", "digest": digest, "train": [7, 4, 5], "test": [3, 4, 5]}
    with tracked(folder, dataset=dataset) as run:
        pass
    inputs = {item.dataset.name: item for item in read(folder, run).inputs.dataset_inputs}
    assert sorted(inputs) == ["tiny-test", "tiny-train"]
    found = inputs["tiny-train"].dataset
    assert found.digest == "0123456789ab"
    assert json.loads(found.profile)["features_shape"] == [7, 4, 5]
    assert {tag.key: tag.value for tag in inputs["tiny-train"].tags} == {
        "mlflow.data.context": "train",
        "digest": digest,
    }


def test_a_resumed_run_goes_on_without_doubling_or_missing_an_epoch(folder):
    with tracked(folder, epochs=epochs(LOSSES[0])) as run:
        run.close("KILLED")  # after the checkpoint of epoch 2, before it was written
    with tracked(folder, run_id=run.run_id, epochs=epochs(*LOSSES[:2])) as resumed:
        assert read(folder, resumed).info.status == "RUNNING"
        resumed.now(epochs=epochs(*LOSSES))
    assert resumed.run_id == run.run_id
    assert read(folder, resumed).info.status == "FINISHED"
    assert history(folder, resumed) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


def test_a_summary_that_the_run_has_is_not_written_again(folder):
    with tracked(folder, summary={"test_acc": 0.5, "best_epoch": 2, "loss": math.nan}) as run:
        pass
    again = {"test_acc": 0.5, "best_epoch": 3, "loss": math.nan}
    with tracked(folder, run_id=run.run_id, summary=again):
        pass
    assert history(folder, run, "test_acc") == [(0, 0.5)]
    assert history(folder, run, "best_epoch") == [(0, 2.0), (0, 3.0)]
    assert len(history(folder, run, "loss")) == 1


def test_a_resumed_run_tags_the_parameters_that_differ(folder):
    with tracked(folder, params={"seed": 1, "trainer.epochs": 5}) as run:
        pass
    changed = {"seed": 1, "trainer.epochs": 9, "added": 2}
    with tracked(folder, run_id=run.run_id, params=changed):
        pass
    found = read(folder, run).data
    assert found.params == {"seed": "1", "trainer.epochs": "5", "added": "2"}
    assert found.tags["resumed_with.trainer.epochs"] == "9"
    assert "resumed_with.seed" not in found.tags


def test_only_a_known_run_can_be_resumed(folder):
    with pytest.raises(TrackingError, match="has no run 'nope'"), tracked(folder, run_id="nope"):
        pass


def test_a_run_that_still_runs_in_another_process_cannot_be_resumed(folder):
    command = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE) as other,
        tracked(folder, owner=owner() | {"digit_exp.pid": str(other.pid)}) as run,
    ):
        with (
            pytest.raises(TrackingError, match=f"still running, as process {other.pid}"),
            tracked(folder, run_id=run.run_id),
        ):
            pass
        other.communicate(b"\n")


def test_without_tracking_nothing_is_kept(tmp_path):
    with tracked(tmp_path, backend="none", place=tmp_path / "run") as run:
        assert type(run.tracker) is Tracker
        assert run.tracker.where() == []
    assert [*tmp_path.rglob("*")] == [tmp_path / "run"]


def test_a_run_whose_process_was_killed_is_called_so_at_the_next_start(folder):
    code = (
        "import os, sys, signal\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\n"
        "from tracked_runs import tracked\n"
        "with tracked(Path(sys.argv[1]), experiment='other') as run:\n"
        "    print(run.run_id, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, folder, TESTS]
    killed = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    dead = SimpleNamespace(run_id=killed.stdout.strip())
    assert read(folder, dead).info.status == "RUNNING"
    with tracked(folder) as run:
        assert read(folder, dead).info.status == "KILLED"
        assert read(folder, run).info.status == "RUNNING"
