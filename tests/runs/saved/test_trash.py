"""Runs that are removed: out of sight in folder and store, and back as they were."""

from pathlib import Path

import pytest

from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.lookup import Runs
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.queries import trial_ids
from digit_exp.tracking.mlflow.uri import locate


def client():
    return connect(locate(None, Path.cwd()))


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_removed_run_is_gone_everywhere_and_comes_back_as_it_was(place, say):
    before, run_id = files(place), RunRecord.read(place).run_id
    assert say("rm", "latest")[0] == 0
    assert not place.exists()
    assert Runs.of_folder().all == []
    assert trial_ids(locate(None, Path.cwd())) == set()
    assert client().get_run(run_id).info.lifecycle_stage == "deleted"
    assert run_id in say("rm", "--list")[1]
    assert say("rm", "--restore", run_id[:8])[0] == 0
    assert files(place) == before
    assert [run.run_id for run in Runs.of_folder().all] == [run_id]
    assert say("rm", "--list") == (0, "")


def test_if_the_store_does_not_answer_everything_stays(place, say):
    before, run_id = files(place), RunRecord.read(place).run_id
    database = Path("mlruns/mlflow.db")
    away = database.rename("away.db")
    database.write_text("no database")
    assert say("rm", str(place))[0] == 2
    assert files(place) == before
    assert not list(Path("trash").glob("*"))
    database.unlink()
    away.rename(database)
    assert say("rm", str(place))[0] == 0
    away = database.rename("away.db")
    database.write_text("no database")
    assert say("rm", "--restore", run_id)[0] == 2
    assert not place.exists()
    assert run_id in say("rm", "--list")[1]


def test_a_run_that_goes_on_is_refused(place, say, monkeypatch):
    monkeypatch.setattr(RunRecord, "is_alive", property(lambda record: True))
    code, printed = say("rm", "latest")
    assert (code, place.exists()) == (2, True)
    assert "still going on" in printed


def test_a_registered_model_is_refused(place, say):
    assert say("promote", "latest", "--force")[0] == 0
    code, printed = say("rm", "latest")
    assert (code, place.exists()) == (2, True)
    assert "version 1 of digits" in printed


def test_a_sweep_is_refused_and_its_jobs_are_not(folder, train, monkeypatch, say):
    monkeypatch.chdir(folder)
    places = [folder / "outputs" / "sweeps" / "mine" / str(seed) for seed in (1, 2)]
    for seed, place in enumerate(places):
        train(place, f"seed={seed}")
        record = RunRecord.read(place)
        record.tags["digit_exp.sweep"] = "mine"
        record.write(place)
    code, printed = say("rm", "mine")
    assert code == 2
    assert "is a sweep" in printed
    assert say("rm", str(places[0]))[0] == 0
    assert [place.exists() for place in places] == [False, True]
    assert say("rm", "mine")[0] == 2  # of one job
    assert say("rm", "--restore", "outputs/sweeps/mine/1")[0] == 0
    assert places[0].exists()


def test_nothing_is_written_over(place, say, train):
    say("rm", "latest")
    train(place)
    code, printed = say("rm", "--restore", "outputs/day/run")
    assert code == 2
    assert "exists" in printed


@pytest.mark.parametrize("words", [[], ["--restore", "nothing"]])
def test_a_command_that_names_nothing_is_refused(tmp_path, monkeypatch, say, words):
    monkeypatch.chdir(tmp_path)
    assert say("rm", *words)[0] == 2
