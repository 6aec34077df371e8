"""Promoting a run: only what is not worse on images that neither has learnt from, or by force."""

import json

import pytest

from digit_exp.cli.entry import main
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import execute
from digit_exp.runs.signals import Interruption
from tiny_runs import config

DATA = {"samples": 1500, "val_ratio": 0.2}


def run(folder, name, **changes):
    """Run in `folder/outputs/NAME`, tracked."""
    where = folder / "outputs" / name
    where.mkdir(parents=True)
    (where / "digit_exp.log").touch()
    data = {**DATA, **changes.pop("data", {})}
    settings = config(data=data, tracking={"backend": "mlflow"}, run_name=name, **changes)
    with Interruption() as interruption:
        execute(settings, where, interruption)
    return RunRecord.read(where)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("promote")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        run(folder, "good")
        run(folder, "bad", optimizer={"lr": 1e-7}, trainer={"epochs": 1})
        run(folder, "stranger", seed=7)
        run(folder, "other", data={"noise": 0.1})
    return folder


@pytest.fixture
def say(folder, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(folder)

    def said(*words):
        code = main(["promote", *words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return said


def test_the_champion_is_the_better_one(say):
    assert say("bad")[0] == 0  # the first
    assert "champion already" in say("bad")[1]
    code, text = say("good")
    assert code == 0
    assert "300 validation images" in text
    assert "kept as models:/digits-synthetic@previous" in text
    code, report = say("bad", "--json")
    assert code == 1
    report = json.loads(report)
    assert {*report} == {"run", "model", "promoted", "version", "champion_before", "comparison"}
    assert (report["promoted"], report["version"], report["champion_before"]) == (False, None, "2")
    assert report["model"] == "digits-synthetic"
    test = report["comparison"]
    lost = test["only_champion"] - test["only_challenger"]
    assert (test["images"], test["champion"] - test["challenger"]) == (300, lost)
    code, text = say("bad")
    assert code == 1
    assert "the challenger is worse; the champion stays" in text
    code, text = say("stranger")
    assert code == 2
    assert "share only" in text
    code, text = say("other")
    assert code == 2
    assert "belongs to the data set of its champion" in text
    assert say("other", "--force")[0] == 2
    assert say("other", "--name", "less-noise")[0] == 0
    assert say("bad", "--force")[0] == 0
    assert "champion already" in say("bad")[1]


def test_a_run_that_is_not_tracked_is_told_how_it_gets_there(tmp_path, monkeypatch, train, capsys):
    monkeypatch.chdir(tmp_path)
    place = train(tmp_path / "outputs" / "one")
    assert main(["promote", str(place)]) == 2
    assert f"digit-exp sync {place}" in capsys.readouterr().err
