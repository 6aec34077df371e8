"""Which run a person means by what is typed, in a store and in folders; what is said if none."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from digit_exp.config.serialize import as_yaml, resolved
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.experiment import load_data
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved import lookup
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.tracking.mlflow.queries import identity, trial_ids
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.training.checkpoint import load_checkpoint
from tiny_runs import config
from tracked_runs import tracked

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def leave(outputs, run_id, *, name=None, day=1, accuracy=None, folder=None, **fields):
    """A run without tracking, by its note alone."""
    place = outputs / (folder or run_id)
    place.mkdir(parents=True)
    summary = {} if accuracy is None else {"best_val_acc": accuracy}
    started = FIRST.replace(day=day).isoformat()
    RunRecord(run_id, "FINISHED", started, name=name, summary=summary, **fields).write(place)
    return place


@pytest.fixture
def outputs(tmp_path):
    """Three runs, then a sweep of two jobs."""
    outputs = tmp_path / "outputs"
    leave(outputs, "aaa1", name="defaults", day=1, accuracy=0.97)
    leave(outputs, "aab2", name="lr=0.1", day=2, accuracy=0.99)
    leave(outputs, "bbb3", name="defaults", day=3)
    return outputs


@pytest.mark.parametrize(
    ("text", "run_id"),
    [("aaa1", "aaa1"), ("bb", "bbb3"), ("lr=0.1", "aab2"), ("latest", "bbb3"), ("best", "aab2")],
)
def test_a_run_is_meant_by_its_id_its_name_or_what_is_special_about_it(outputs, text, run_id):
    assert Runs(outputs).find(text).run_id == run_id


def test_of_equally_good_runs_the_first_is_the_best(outputs):
    leave(outputs, "copy", name="again: lr=0.1", day=4, accuracy=0.99)
    assert Runs(outputs).find("best").run_id == "aab2"


def on_data(outputs, run_id, accuracy, digest, **data):
    """A run without tracking that says on which data set it was trained."""
    place = leave(outputs, run_id, accuracy=accuracy, tags={"data.digest": digest})
    (place / "config.yaml").write_text(as_yaml(resolved(config(data=data))))


def test_the_best_is_on_the_data_of_the_default_configuration(tmp_path):
    on_data(tmp_path, "easy", 1.0, "of noise")
    assert Runs(tmp_path).find("best").run_id == "easy"  # there is no other data set
    mnist = {"name": "mnist", "train_size": 1000}
    on_data(tmp_path, "weak", 0.9, "of mnist", name="mnist")
    on_data(tmp_path, "good", 0.95, "of mnist", **mnist)
    assert Runs(tmp_path).find("best").run_id == "good"
    on_data(tmp_path, "own", 0.99, "own", name="mnist", dir="mine")
    assert Runs(tmp_path).find("best").run_id == "good"


def test_between_the_best_on_other_data_sets_the_person_chooses(tmp_path):
    on_data(tmp_path, "easy", 1.0, "of noise")
    on_data(tmp_path, "also", 0.99, "of noise")
    on_data(tmp_path, "clothes", 0.9, "of clothes", name="fashion_mnist")
    with pytest.raises(RunError, match="several data sets") as error:
        Runs(tmp_path).find("best")
    listed = [line.split() for line in str(error.value).splitlines()[1:]]
    assert [(line[0], line[-1]) for line in listed] == [
        ("easy", "synthetic"),
        ("clothes", "fashion_mnist"),
    ]
    assert Runs(tmp_path).find("clothes").run_id == "clothes"  # as it says


def test_a_job_that_was_killed_early_does_not_cost_the_sweep_its_winner(tmp_path):
    tags = identity("grid", "hash")
    leave(tmp_path, "early", tags=tags)
    done = leave(tmp_path, "done", accuracy=0.9, tags={**tags, "data.digest": "one"})
    (done / "config.yaml").write_text(as_yaml(resolved(config())))
    assert Runs(tmp_path).find("grid").run_id == "done"


def test_a_sweep_over_data_sets_has_no_winner(tmp_path):
    for number, digest in enumerate(("one", "other")):
        tags = {**identity("grid", f"hash{number}"), "data.digest": digest}
        leave(tmp_path, f"j{number}", accuracy=0.9, tags=tags)
    with pytest.raises(RunError, match="sweep grid are on several data sets"):
        Runs(tmp_path).find("grid")


def test_a_text_that_several_runs_share_is_refused_with_all_of_them(outputs):
    with pytest.raises(RunError, match="'aa' is ambiguous") as error:
        Runs(outputs).find("aa")
    assert "aaa1" in str(error.value)
    assert "97.00 %  finished  2026-01-01" in str(error.value)


def test_of_runs_with_one_name_the_latest_that_finished_is_taken_and_named(outputs, caplog):
    found = Runs(outputs).find("defaults")
    same = [run for run in Runs(outputs).all if run.name == "defaults"]
    assert len(same) > 1
    assert found.run_id == next(run.run_id for run in same if run.status == "FINISHED")
    assert found.run_id in caplog.text


def test_an_unknown_name_is_refused_without_the_store(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("digit_exp.runs.saved.lookup.RunStore", None)
    leave(folder / "outputs", "abc")
    with tracked(folder):
        pass
    monkeypatch.setattr("digit_exp.runs.saved.lookup.trial_ids", lambda store: {"abc"})
    with pytest.raises(RunError, match="'nonsense' is not the id or name of a run"):
        Runs.of_folder().find("nonsense")


def test_a_run_that_has_no_id_is_listed_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leave(tmp_path / "outputs", None, folder="one/two")
    with pytest.raises(RunError, match=r"outputs/one/two$"):
        Runs.of_folder().find("nonsense")


def test_a_text_that_no_run_has_is_refused_with_the_nearest_and_the_latest(outputs):
    with pytest.raises(RunError) as error:
        Runs(outputs).find("default")
    first, *others = str(error.value).splitlines()
    assert "Did you mean 'defaults'? The latest runs:" in first
    assert [line.split()[0] for line in others] == ["bbb3", "aab2", "aaa1"]


@pytest.mark.parametrize("text", ["latest", "best", "abc", ""])
def test_without_runs_it_is_said_where_they_were_looked_for(tmp_path, text):
    with pytest.raises(RunError, match=r"no runs below .*outputs or in sqlite:.*mlflow\.db"):
        Runs.of_folder(tmp_path).find(text)
    assert not (tmp_path / "mlruns").exists()


def test_best_needs_a_run_that_finished(tmp_path):
    leave(tmp_path, "aaa")
    with pytest.raises(RunError, match="no run has finished with a validation accuracy"):
        Runs(tmp_path).find("best")


@pytest.mark.parametrize(("objective", "wins"), [("best_val_acc", "j2"), ("test_acc", "j1")])
def test_a_sweep_means_its_winner_by_its_own_objective_or_all_jobs(tmp_path, objective, wins):
    outputs = tmp_path / "outputs"
    for number, (chosen, seen) in enumerate([(0.8, 0.9), (0.85, 0.7)], start=1):
        tags = {**identity("grid", f"hash{number}"), "digit_exp.objective": objective}
        place = leave(outputs, f"j{number}", folder=f"sweeps/grid/{number}", day=number, tags=tags)
        record = RunRecord.read(place)
        record.summary = {"best_val_acc": chosen, "test_acc": seen}
        record.write(place)
        (place / "config.yaml").write_text(f"seed: 1\noptimizer: {{name: adam, lr: {number}}}")
    for text in ("grid", str(outputs / "sweeps" / "grid")):
        assert Runs(outputs).find(text).run_id == wins
        assert [run.run_id for run in Runs(outputs).all_matching(text)] == ["j1", "j2"]
    assert [run.run_id for run in Runs(outputs).all_matching("latest")] == ["j2"]


@pytest.mark.parametrize(("race", "wins"), [({}, "j2"), ({"digit_exp.race": "true"}, "j0")])
def test_what_a_race_dropped_after_a_lucky_seed_does_not_win(tmp_path, race, wins):
    outputs = tmp_path / "outputs"
    for number, (lr, seed, score) in enumerate([(1, 1, 0.9), (1, 2, 0.7), (2, 1, 0.85)]):
        tags = {**identity("grid", f"hash{number}"), **race}
        place = leave(
            outputs, f"j{number}", folder=f"sweeps/grid/{number}", day=number + 1, tags=tags
        )
        record = RunRecord.read(place)
        record.status, record.summary = "FINISHED", {"best_val_acc": score}
        record.write(place)
        (place / "config.yaml").write_text(f"seed: {seed}\noptimizer: {{name: adam, lr: {lr}}}")
    assert Runs(outputs).find("grid").run_id == wins


def test_a_run_without_tracking_gives_all_that_its_folder_holds(tmp_path, train):
    folder = train(tmp_path / "outputs" / "one")
    (found,) = Runs(tmp_path / "outputs").all
    assert found.folder == folder
    assert found.name == Runs(tmp_path / "outputs").find(found.name).name
    assert found.config["optimizer"] == "adam"
    assert (
        resolved(found.run_config())
        == load_checkpoint(folder / paths.LAST_CHECKPOINT).config["run"]
    )
    assert [epoch["epoch"] for epoch in found.history()] == [1, 2, 3]
    assert found.predictions().probabilities.shape == (50, 10)
    assert found.tags["data.digest"]
    assert found.page() == []


def test_the_network_is_the_one_that_was_tested(tmp_path, train):
    # training goes on after the best epoch, and checkpoints are kept by another metric
    watch = ["trainer.early_stopping.monitor=val_loss", "trainer.checkpoint.monitor=train_loss"]
    folder = train(tmp_path / "one", "optimizer.lr=0.03", "trainer.epochs=8", *watch)
    found = Runs().find(str(folder))
    images = load_data(found.run_config().data).test.images
    written = found.predictions().probabilities
    assert np.array_equal(found.network().predict_proba(images), written)
    last = load_checkpoint(folder / paths.LAST_CHECKPOINT).network
    assert not np.array_equal(last.predict_proba(images), written)


def test_a_checkpoint_is_a_run_of_its_own_inside_its_folder_and_outside(tmp_path, train):
    folder = train(tmp_path / "one")
    inside = Runs().find(str(folder / "checkpoints" / "best.npz"))
    assert inside.folder == folder
    assert inside.network().spec() == Runs().find(str(folder)).network().spec()
    lonely = (folder / "checkpoints" / "best.npz").rename(tmp_path / "lonely.npz")
    outside = Runs().find(str(lonely))
    assert outside.folder is None
    assert outside.config["optimizer"] == "adam"
    assert outside.history()
    with pytest.raises(RunError, match=r"lonely\.npz, unknown, has no test_predictions\.npz"):
        outside.predictions()


def test_a_tracked_run_is_found_in_the_store_with_its_folder_or_without(folder, train, monkeypatch):
    monkeypatch.chdir(folder)
    place = train(folder / "outputs" / "one", "tracking=mlflow")
    here = Runs.of_folder(folder).find("latest")
    assert (here.folder, here.status) == (place, "FINISHED")
    assert here.run_id[:12] in here.page()[0]
    with monkeypatch.context() as patch:
        patch.setattr(lookup, "RunStore", None)  # so that MLflow cannot be asked
        for text in ("latest", "best", here.run_id[:6], here.name):
            assert Runs.of_folder(folder).without_store().find(text).metrics["test_acc"]
    place.rename(folder / "elsewhere")
    away = Runs.of_folder(folder).without_store().find(here.run_id[:6])
    assert away.folder is None
    assert away.name == here.name
    assert away.config["model.hidden"] == [16]
    kept = RunRecord.read(folder / "elsewhere")
    assert kept.tags.items() <= away.tags.items()
    original = load_checkpoint(folder / "elsewhere" / paths.LAST_CHECKPOINT)
    assert resolved(away.run_config()) == original.config["run"]
    assert away.history() == original.state.history
    assert Runs.of_folder(folder).find("best").run_id == here.run_id
    assert away.network().spec() == original.network.spec()
    assert (away.predictions().predicted >= 0).all()


def test_a_database_that_cannot_be_read_without_mlflow_is_left_to_it(tmp_path):
    (file := tmp_path / "runs.db").write_text("no database")
    assert trial_ids(locate(f"sqlite:///{file}", tmp_path)) is None
    assert trial_ids(locate("http://127.0.0.1:5000", tmp_path)) is None
    assert trial_ids(locate(None, tmp_path)) == set()


def test_parents_of_sweeps_and_runs_of_others_are_no_runs(folder):
    with tracked(folder, tags={"digit_exp.kind": "sweep"}):
        pass
    with tracked(folder, experiment="other", name="mine") as tracker:
        pass
    assert [run.name for run in Runs.of_folder(folder).all] == ["mine"]
    assert Runs.of_folder(folder).find(tracker.run_id[:5]).tags["digit_exp.kind"] == "trial"


def test_a_run_that_is_both_tracked_and_local_is_one(folder):
    with tracked(folder) as tracker:
        leave(folder / "outputs", tracker.run_id)
    leave(folder / "outputs", None, folder="untracked")
    found = Runs.of_folder(folder).all
    assert [run.run_id for run in found] == [tracker.run_id, None]
    assert found[0].folder.name == tracker.run_id


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        Runs.of_folder(tmp_path, "./mlruns")


def test_a_sweep_and_a_run_of_the_same_name_are_told_apart_by_folder(outputs):
    place = leave(
        outputs, "c", folder="sweeps/lr=0.1/x", tags=identity("lr=0.1", "x"), accuracy=0.5
    )
    assert Runs(outputs).find("lr=0.1").run_id == "aab2"
    assert Runs(outputs).all_matching(str(place.parent))[0].run_id == "c"
    assert (Path(place) / paths.RECORD).is_file()
