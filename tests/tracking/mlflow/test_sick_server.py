"""A server that falls ill: at the start a sentence, in the middle nothing lost or doubled."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from proxy import Proxy

from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.sync.stored import is_unsent
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.model.log import model_of
from tracked_runs import tracked

EPOCHS = 60
COMMAND = [sys.executable, "-m", "digit_exp"]
WORDS = ["data=synthetic", "data.samples=20000", "model.hidden=[64]", f"trainer.epochs={EPOCHS}"]
WORDS += ["trainer.early_stopping.enabled=false"]


@pytest.fixture
def proxy(request):
    proxy = Proxy(int(request.getfixturevalue("server").rpartition(":")[2]))
    yield proxy
    proxy.close()


@pytest.mark.parametrize(
    "mode", ["reset", "error", "foreign", pytest.param("stall", marks=pytest.mark.slow)]
)
def test_a_server_that_is_ill_at_the_start_is_told_with_the_way_out(mode, tmp_path):
    proxy = Proxy()
    proxy.be(mode)
    with (
        pytest.raises(TrackingError, match="train without it: tracking=none"),
        tracked(tmp_path, uri=proxy.address),
    ):
        pass
    proxy.close()


def start(folder, proxy):
    return subprocess.Popen(
        [*COMMAND, *WORDS, f"tracking.uri={proxy.address}"],
        cwd=folder,
        env={name: text for name, text in os.environ.items() if name != "MLFLOW_TRACKING_URI"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def watch(process, **at):
    """Read what is printed, do what is asked at the first line that begins so; return it all."""
    printed = ""
    for line in process.stdout:
        printed += line
        for beginning in [one for one in at if line.startswith(f"Epoch {one[1:]}/")]:
            at.pop(beginning)()
    process.stdout.close()
    assert process.wait(timeout=120) == 0, printed
    return printed


def check(proxy, printed):
    run_id = re.search(r"runs/([0-9a-f]{32})", printed)[1]
    client = connect(locate(proxy.address, Path()))
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert "test_acc" in run.data.metrics
    for name in ("train_loss", "val_acc"):
        steps = [point.step for point in client.get_metric_history(run_id, name)]
        assert steps == list(range(1, EPOCHS + 1))
    files = {artifact.path for artifact in client.list_artifacts(run_id)}
    assert {"checkpoints", "figures", "config.yaml"} <= files
    assert model_of(client, run_id) is not None
    return run_id


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reset", "error", "stall"])
def test_a_server_that_is_ill_for_a_while_gets_everything(proxy, tmp_path, mode):
    process = start(tmp_path, proxy)
    printed = watch(process, _3=lambda: proxy.be(mode), _40=lambda: proxy.be("well"))
    assert "MLflow lacks" not in printed
    run_id = check(proxy, printed)
    (note,) = tmp_path.rglob("run.json")
    assert not is_unsent(note.parent, run_id)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["resume", "sync"])
def test_a_server_that_stays_away_gets_everything_later(proxy, tmp_path, how):
    process = start(tmp_path, proxy)
    printed = watch(process, _3=lambda: proxy.be("reset"))
    assert "MLflow cannot be written to; what it lacks is kept" in printed
    (asked,) = re.findall(r"digit-exp (sync [^`]+)`", printed)
    run_id = re.search(r"runs/([0-9a-f]{32})", printed)[1]
    (note,) = tmp_path.rglob("run.json")
    assert is_unsent(note.parent, run_id)
    proxy.be("well")
    words = ["resume=latest"] if how == "resume" else shlex.split(asked)
    sent = subprocess.run([*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    assert run_id in sent.stdout
    check(proxy, printed)
    assert not is_unsent(note.parent, run_id)
