"""Tags and notes of a run: in its folder, in MLflow, and after it goes on."""

import json
from pathlib import Path

from digit_exp.runs.folder import RunRecord
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.uri import locate


def in_store(place):
    run_id = RunRecord.read(place).run_id
    return connect(locate(None, Path.cwd())).get_run(run_id).data.tags


def test_tags_are_in_folder_and_store_until_they_are_removed(place, say):
    assert say("tag", "latest", "paper=figure-3", "reviewed=by=both")[0] == 0
    assert RunRecord.read(place).annotations == {"paper": "figure-3", "reviewed": "by=both"}
    assert in_store(place).items() >= {"paper": "figure-3", "reviewed": "by=both"}.items()
    assert "paper" in say("show", "latest")[1]
    code, printed = say("tag", "latest", "paper=figure-4", "--remove", "reviewed", "--json")
    assert code == 0
    assert json.loads(printed)["runs"][0]["tags"] == {"paper": "figure-4"}
    assert in_store(place)["paper"] == "figure-4"
    assert "reviewed" not in in_store(place)


def test_a_note_is_shown_and_can_be_taken_away(place, say):
    own = in_store(place)["mlflow.note.content"]  # what a run says of itself
    assert say("note", "latest", "the", "first", "one") == (0, "the first one\n")
    assert in_store(place)["mlflow.note.content"] == "the first one"
    assert "the first one" in say("show", "latest")[1]
    assert json.loads(say("show", "latest", "--json")[1])["note"] == "the first one"
    assert say("note", "latest", "")[1] == say("note", "latest")[1] == "no note\n"
    assert in_store(place)["mlflow.note.content"] == own
    assert say("note", "latest", "") == (0, "no note\n")


def test_what_cannot_be_a_tag_is_refused_and_nothing_changes(place, say):
    before = RunRecord.read(place)
    for words, named in (
        (["paper"], "NAME=VALUE"),
        (["who@where=x"], "who@where"),
        (["mlflow.runName=x"], "for programs"),
        (["seed=7"], "seed=42"),
        (["--remove", "paper"], "given: none"),
    ):
        code, printed = say("tag", "latest", *words)
        assert code == 2, words
        assert named in printed
        assert RunRecord.read(place) == before


def test_a_store_that_does_not_answer_keeps_tags_from_being_lost(place, say, monkeypatch):
    say("tag", "latest", "paper=figure-3")
    database = Path("mlruns/mlflow.db")
    away = database.rename("away.db")
    database.write_text("no database")
    assert say("tag", str(place), "more=yes")[0] == 2
    assert say("tag", str(place), "--remove", "paper")[0] == 2
    assert RunRecord.read(place).annotations == {"paper": "figure-3", "more": "yes"}
    away.replace(database)
    assert say("sync", str(place))[0] == 0
    assert in_store(place)["more"] == "yes"


def test_a_sweep_gets_its_tags_on_every_job(folder, train, monkeypatch, say):
    monkeypatch.chdir(folder)
    for seed in (1, 2):
        place = train(folder / "outputs" / "sweeps" / "mine" / str(seed), f"seed={seed}")
        record = RunRecord.read(place)
        record.tags["digit_exp.sweep"] = "mine"
        record.write(place)
    assert say("tag", "mine", "project=x")[0] == 0
    for seed in (1, 2):
        record = RunRecord.read(folder / "outputs" / "sweeps" / "mine" / str(seed))
        assert record.annotations == {"project": "x"}


def test_what_was_said_stays_when_a_run_goes_on(place, say, train):
    say("tag", "latest", "paper=figure-3")
    record = RunRecord.read(place)
    record.status = "KILLED"
    record.summary = {}
    record.write(place)
    from digit_exp.cli.main import main as run

    assert run([f"resume={place}"]) in (0, 1)
    assert RunRecord.read(place).annotations == {"paper": "figure-3"}
