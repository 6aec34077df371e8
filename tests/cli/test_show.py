"""What `digit-exp show` knows of one run."""

import json
import shlex

import pytest

from digit_exp.cli.entry import main
from digit_exp.config.compose import compose
from digit_exp.runs.folder import RunRecord


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def show(*words):
        assert main(["show", *words]) == 0
        return capsys.readouterr().out

    return show


@pytest.fixture
def run(tmp_path, train):
    return train(tmp_path / "outputs" / "one", "run_name=one", "optimizer.lr=0.01")


def test_everything_is_shown_for_programs(show, run):
    shown = json.loads(show("one", "--json"))
    assert {*shown} == {
        *("id", "name", "status", "started", "data", "sweep", "folder", "metrics"),
        *("job", "reason", "note", "changed", "config", "valid", "provenance", "files", "page"),
        "commands",
    }
    assert (shown["status"], shown["data"], shown["valid"]) == ("finished", "synthetic", True)
    assert shown["changed"]["optimizer.lr"] == {"default": 0.001, "value": 0.01}
    assert "trainer.batch_size" not in shown["changed"]
    assert shown["config"]["trainer.batch_size"] == 32
    assert shown["provenance"]["version.numpy"]
    assert shown["files"]["config.yaml"] == (run / "config.yaml").stat().st_size
    assert 0 <= shown["metrics"]["test_acc"] <= 1


def test_everything_is_shown_for_people(show, run):
    text = show("one")
    for part in (
        "outputs/one",
        "finished",
        "test_acc",
        "optimizer.lr",
        "default 0.001",
        "best.npz",
    ):
        assert part in text


def test_the_command_that_trains_again_has_the_same_configuration(show, run):
    command = json.loads(show("one", "--json"))["commands"]["train again"]
    (config,) = compose(shlex.split(command)[3:]).jobs
    assert config.optimizer.lr == 0.01
    assert config.model.hidden == [16]


def test_a_run_that_was_interrupted_can_be_resumed_and_a_finished_one_cannot(show, run):
    assert "resume" not in json.loads(show("one", "--json"))["commands"]
    record = RunRecord.read(run)
    record.status = "KILLED"
    record.write(run)
    assert json.loads(show("one", "--json"))["commands"]["resume"] == "digit-exp resume=outputs/one"


def test_a_configuration_of_another_version_is_shown_as_it_is(show, run):
    file = run / "config.yaml"
    file.write_text(file.read_text().replace("epochs: 3", "epocks: 3"))
    shown = json.loads(show("one", "--json"))
    assert shown["valid"] is False
    assert shown["config"]["trainer.epocks"] == 3
    assert "trainer.epocks" in show("one")


def test_a_run_without_its_files_is_shown_all_the_same(show, run):
    (run / "config.yaml").unlink()
    (run / "checkpoints" / "last.npz").unlink()
    shown = json.loads(show("one", "--json"))
    assert (shown["config"], shown["commands"]) == ({}, {})
    assert "best_val_acc" in show("one")


def test_a_run_that_is_not_there_is_refused_with_those_that_are(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "on"]) == 2
    assert "Did you mean 'one'?" in capsys.readouterr().err
