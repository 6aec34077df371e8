"""Which page is opened for what a person asks to look at, and the process that serves it."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
import zlib
from urllib.parse import parse_qs

import pytest

from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.views.mlflow_page import page_of
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.sweep_runs import open_sweep
from digit_exp.tracking.mlflow.ui_server import free_port
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.tags import Tag
from tracked_runs import tracked


def log_run(folder, name, identity=None, **params):
    with tracked(folder, name=name, tags=identity or {}) as run:
        run.now(
            params={"seed": 1, "optimizer": "adam", "optimizer.lr": 0.1, **params},
            summary={"best_val_acc": 0.9},
        )
    return run.run_id


def view(folder, page):
    """The state of the saved view that a page opens."""
    (key,) = parse_qs(page.partition("?")[2])["viewStateShareKey"]
    store = locate(None, folder)
    tags = connect(store).get_experiment("1").tags
    packed = json.loads(tags[f"mlflow.sharedViewState.{key}"])["state"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_all_runs_are_shown_best_first_with_what_varies(folder):
    log_run(folder, "one", **{"optimizer.lr": 0.1})
    log_run(folder, "two", **{"optimizer.lr": 0.2, "seed": 2})
    state = view(folder, page_of(Runs.of_folder(folder), None))
    assert state["searchFilter"] == "tags.\"digit_exp.kind\" = 'trial'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`best_val_acc`", False)
    shown = ["params.`optimizer.lr`", "params.`seed`", "metrics.`best_val_acc`"]
    assert state["selectedColumns"][:3] == shown
    assert {"SCATTER", "LINE"} <= {chart["type"] for chart in state["compareRunCharts"]}


@pytest.mark.parametrize("left", [0, 2])
def test_runs_killed_before_they_wrote_anything_do_not_close_the_page(folder, left):
    """Two runs of which the store knows no more than the id, with a folder or without."""
    for number in range(2):
        with tracked(folder, name=f"killed {number}") as run:
            pass
        place = folder / "outputs" / "day" / str(number)
        place.mkdir(parents=True)
        if number:
            RunRecord(run.run_id).write(place)
    for number in range(left):
        log_run(folder, "whole", **{"optimizer.lr": 0.1 * (number + 1)})
    shown = view(folder, page_of(Runs.of_folder(folder), None))["selectedColumns"]
    assert ("params.`optimizer.lr`" in shown) is bool(left)


def test_the_only_run_is_shown_on_its_own_page(folder):
    run_id = log_run(folder, "one")
    page = f"/#/experiments/1/runs/{run_id}?workflowType=machine_learning"
    assert page_of(Runs.of_folder(folder), None) == page


def test_one_run_is_shown_on_its_own_page_and_a_sweep_by_its_comparison(folder):
    sweep = open_sweep("grid", folder=folder)
    for number in range(2):
        identity = {**sweep.identity(f"{number}"), Tag.OBJECTIVE: "best_val_loss"}
        run_id = log_run(folder, f"job {number}", identity)
    runs = Runs.of_folder(folder)
    for text in ("latest", run_id, "job 1"):
        page = f"/#/experiments/1/runs/{run_id}?workflowType=machine_learning"
        assert page_of(runs, text) == page
    state = view(folder, page_of(runs, "grid"))
    assert "tags.\"digit_exp.sweep\" = 'grid'" in state["searchFilter"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`best_val_loss`", True)


def test_what_is_not_tracked_cannot_be_shown(folder):
    with pytest.raises(RunError, match="no run is tracked"):
        page_of(Runs.of_folder(folder), None)
    place = folder / "outputs" / "one"
    place.mkdir(parents=True)
    RunRecord(None, name="mine").write(place)
    for text in ("mine", str(place)):
        with pytest.raises(RunError, match="the run mine is not in the store; its files are in"):
            page_of(Runs.of_folder(folder), text)


def test_a_taken_port_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert free_port(taken.getsockname()[1]) > taken.getsockname()[1]


def test_the_page_is_served_until_ctrl_c_which_leaves_no_process(folder):
    run_id = log_run(folder, "one")
    process = subprocess.Popen(
        [sys.executable, "-m", "digit_exp", "ui", "one", "--no-browser", "--port", "5100"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = [process.stdout.readline() for _ in range(3)]
        if "taken" in printed[0]:
            printed = [*printed[1:], process.stdout.readline()]
        _, link, hint = printed
        assert run_id in link
        assert "Ctrl-C" in hint
        address = link.partition("/#")[0]
        with urllib.request.urlopen(address) as answer:
            assert b"<title>MLflow</title>" in answer.read()
        (server,) = children(process.pid)
        assert children(server) == []  # no workers
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # from an impatient person
        assert process.wait(timeout=60) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(server, 0)
    finally:
        process.kill()
        process.stdout.close()


def children(pid):
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [map(int, line.split()) for line in listed.stdout.splitlines()]
    return [child for child, parent in pairs if parent == pid]
