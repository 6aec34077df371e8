"""What `digit-exp sync` sends to a store, and what it says of it."""

import json

import pytest
from mlflow import MlflowClient

from digit_exp.cli.entry import main
from digit_exp.runs.folder import RunRecord


@pytest.fixture
def run(folder, train, monkeypatch):
    monkeypatch.chdir(folder)
    return train(folder / "outputs" / "one", "run_name=one")


def runs_of(database):
    return MlflowClient(f"sqlite:///{database}").search_runs(["1"])


def test_a_run_without_tracking_is_sent_once_and_belongs_to_the_store_from_then_on(
    run, folder, capsys
):
    assert main(["sync", "one", "--json"]) == 0
    (synced,) = json.loads(capsys.readouterr().out)["runs"]
    (stored,) = runs_of(folder / "mlruns" / "mlflow.db")
    assert synced["stored_as"] == stored.info.run_id == RunRecord.read(run).run_id
    assert synced["complete"]
    assert synced["sent"]
    assert synced["name"] == "one"
    assert (stored.info.status, stored.data.params["optimizer"]) == ("FINISHED", "adam")
    assert main(["sync", "one"]) == 0
    assert "one" in capsys.readouterr().out
    assert main(["sync", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["sent"] == []
    assert len(runs_of(folder / "mlruns" / "mlflow.db")) == 1


def test_a_copy_goes_to_another_store(run, folder, capsys):
    assert main(["sync", "one", "--to", "sqlite:///copy.db", "--json"]) == 0
    (synced,) = json.loads(capsys.readouterr().out)["runs"]
    (stored,) = runs_of(folder / "copy.db")
    assert synced["stored_as"] == stored.info.run_id
    assert RunRecord.read(run).run_id is None


def test_a_store_that_does_not_answer_is_told(run, servers, capsys):
    address = f"http://127.0.0.1:{servers.free_port()}"
    assert main(["sync", "one", "--to", address]) == 2
    assert address in capsys.readouterr().err
