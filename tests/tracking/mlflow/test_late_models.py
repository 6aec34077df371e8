"""A model that the store does not take at once is there later, once, and whole."""

import pytest
from test_spooled import Sick

from digit_exp.nn.classifier import Classifier
from digit_exp.nn.network import NetworkBuilder
from digit_exp.runs.reuse.serving import SERVED
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker
from digit_exp.tracking.mlflow.run import open_tracker, send_unsent
from digit_exp.tracking.mlflow.spool import UNSENT, Spool
from digit_exp.tracking.mlflow.spooled import SpooledTracker
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.model.log import model_of

CALLS = (
    *("create_logged_model", "log_model_artifacts", "finalize_logged_model", "log_outputs"),
    *("get_run", "search_logged_models"),
)


@pytest.fixture
def network(folder):
    """The file of a network, in the folder of its run."""
    built = NetworkBuilder().input(8, 8).dense(10).build(seed=3)
    return Classifier(built, (8, 8), 1.0).save(folder / SERVED)


def require_one_model(client, run_id):
    run = client.get_run(run_id)
    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    assert model.status == "READY"
    assert model_of(client, run_id) == model.model_id
    assert {file.path for file in client.list_logged_model_artifacts(model.model_id)} >= {
        *("MLmodel", "artifacts", "code", "requirements.txt")
    }


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_that_fails_at_the_nth_call_has_the_model_once_for_every_n(folder, network, when):
    store = locate(None, folder)
    client = connect(store)
    experiment = client.create_experiment("digits", artifact_location=folder.as_uri())
    for n in range(1, 100):
        run_id = client.create_run(experiment).info.run_id
        sick = Sick(client, n, when, CALLS)
        target = MLflowTracker(sick, run_id, store=store, experiment_id=experiment)
        tracker = SpooledTracker(target, Spool(folder / UNSENT))
        tracker.log_model(network)
        assert tracker.close() == 0
        require_one_model(client, run_id)
        if sick.calls < n:
            break
    assert n == len(CALLS) + 1


@pytest.mark.parametrize("how", ["asked for", "as the run goes on"])
def test_a_model_that_a_store_which_was_away_lacks_is_sent_later(folder, network, how):
    from mlflow import MlflowClient

    def gone(self, *arguments, **options):
        raise ConnectionRefusedError("connection refused")

    spool = folder / UNSENT
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "create_logged_model", gone)
        with open_tracker("mlflow", folder=folder, spool=spool) as tracker:
            tracker.log_model(network)
    client, run_id = connect(locate(None, folder)), tracker.run_id
    assert model_of(client, run_id) is None
    assert [entry["what"] for entry in Spool(spool).entries().values()] == ["model", "end"]
    if how == "asked for":
        assert send_unsent(run_id, spool, uri=None, experiment="digits", folder=folder)[0] == 0
    else:
        with open_tracker("mlflow", folder=folder, spool=spool, run_id=run_id):
            pass
    require_one_model(client, run_id)
    assert client.get_run(run_id).info.status == "FINISHED"
    assert not spool.exists()
