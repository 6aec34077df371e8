"""A sweep on a server that is shared: `mlflow server` over HTTP, with PostgreSQL behind it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
ROOTS_SUBSTITUTE = "postgres"  # the Debian package makes this user; PostgreSQL refuses root
SECONDS_TO_TRAIN = 120

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL in /usr/lib/postgresql"),
    pytest.mark.skipif(find_spec("psycopg2") is None, reason="psycopg2 is not installed"),
]

GRID = ["-m", "data=synthetic", "trainer.epochs=3", "optimizer=sgd,adam", "model.hidden=[8],[16]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory, servers):
    """Yield the address of a fresh server."""
    folder = tmp_path_factory.mktemp("server")
    with _database(servers) as database, servers.mlflow(database, folder) as address:
        yield address


@pytest.fixture
def folders(tmp_path):
    """Return two folders, as of two machines that share nothing but the server."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return here, there


@contextmanager
def _database(servers):
    """Run a cluster of its own, in a folder that its user may enter."""
    user = ROOTS_SUBSTITUTE if os.geteuid() == 0 else None
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    folder, port = Path(tempfile.mkdtemp(prefix="digit-exp-")), servers.free_port()
    try:
        if user:
            shutil.chown(folder, user, user)
        bin_folder, data = POSTGRES[-1].parent, folder / "data"
        words = ["--auth=trust", "--username=mlflow", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [bin_folder / "initdb", *words, "-D", data],
            cwd=folder,
            check=True,
            capture_output=True,
            **identity,
        )
        words = ["-h", "127.0.0.1", "-p", str(port), "-c", "unix_socket_directories="]
        command = [bin_folder / "postgres", "-D", data, *words]

        def answer():
            socket.create_connection(("127.0.0.1", port), 1).close()

        with servers.running(command, folder, answer, stop=signal.SIGINT, **identity):
            # The driver by name: SQLAlchemy 2.1 takes psycopg 3 for a bare postgresql://
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


def test_a_grid_on_a_server_runs_once_and_leaves_no_store_in_the_folder(
    folders, fresh_command, reading, server
):
    folder, other = folders
    words = [*GRID, f"tracking.uri={server}", "tracking.experiment=grid"]
    printed = fresh_command.run(folder, *words).stdout
    trials = reading.runs(server, experiment="grid")
    (parent,) = reading.runs(server, "sweep", experiment="grid")
    assert [trial.info.status for trial in trials] == ["FINISHED"] * 4
    assert {trial.data.tags["mlflow.parentRunId"] for trial in trials} == {parent.info.run_id}
    assert parent.info.status == "FINISHED"
    assert {"report.html", "report.md", "figures", "experiment"} <= reading.files(server, parent)
    assert f"{server}/#/" in printed

    again = fresh_command.run(
        other, *words
    ).stdout  # the test predictions too are had from the server
    assert again.count("was done before, elsewhere") == 4
    assert reading.table(again) == reading.table(printed)
    assert "worse" in reading.table(again)
    assert len(reading.runs(server, experiment="grid")) == 4
    assert len(reading.runs(server, "sweep", experiment="grid")) == 1
    assert not (folder / "mlruns").exists()
    assert not (other / "mlruns").exists()


def test_two_people_run_the_halves_of_one_grid_in_folders_of_their_own(
    folders, fresh_command, reading, server
):
    here, there = folders
    place = [f"tracking.uri={server}", "tracking.experiment=halves", "sweep.name=both"]
    shared = [*GRID[:-1], *place]
    fresh_command.run(here, *shared, "model.hidden=[8]")
    printed = fresh_command.run(there, *shared, "model.hidden=[16]").stdout
    assert len(reading.table(printed).splitlines()) == 3 + 4
    assert len(reading.runs(server, "sweep", experiment="halves")) == 1

    whole = fresh_command.run(there, *shared, "model.hidden=[8],[16]").stdout
    assert whole.count("was done before, elsewhere") == 2
    assert whole.count("was done before") == 4
    assert reading.table(whole) == reading.table(printed)
    assert len(reading.runs(server, experiment="halves")) == 4


def test_a_job_killed_in_one_folder_goes_on_in_another_from_the_server(
    folders, fresh_command, reading, server
):
    here, there = folders
    epochs = 300
    long = [f"trainer.epochs={epochs}", "trainer.early_stopping.enabled=false"]
    words = ["-m", "data=synthetic", *long, "model.hidden=[8],[16]", "sweep.name=long"]
    place = [f"tracking.uri={server}", "tracking.experiment=killed"]
    with fresh_command.started(here, *words, *place) as process:
        killed = _first_with_a_checkpoint(reading, server, process)
        process.send_signal(signal.SIGKILL)
    printed = fresh_command.run(there, *words, *place).stdout
    assert printed.count(" resumed and done: ") == 1
    assert printed.count(" done: ") == 2

    runs = {run.info.run_id: run for run in reading.runs(server, experiment="killed")}
    assert [run.info.status for run in runs.values()] == ["FINISHED"] * 2
    points = reading.client(server).get_metric_history(killed, "train_loss")
    assert sorted(point.step for point in points) == list(range(1, epochs + 1))
    (log,) = (
        log
        for log in there.glob("outputs/sweeps/long/*/digit_exp.log")
        if "resuming" in log.read_text()
    )
    assert "resuming after epoch 0" not in log.read_text()

    undisturbed = fresh_command.run(here, *words, "tracking=none", "sweep.rerun=true").stdout
    assert reading.table(printed) == reading.table(undisturbed)


def _first_with_a_checkpoint(reading, server, process):
    """Return the id of the first run that has a checkpoint in the store, once there is one."""
    client, deadline = reading.client(server), time.monotonic() + SECONDS_TO_TRAIN
    while True:
        assert process.poll() is None, "the sweep ended too early"
        assert time.monotonic() < deadline
        if client.get_experiment_by_name("killed") is not None:
            for run in reading.runs(server, experiment="killed"):
                kept = client.list_artifacts(run.info.run_id, "checkpoints")
                if "checkpoints/last.npz" in {file.path for file in kept}:
                    return run.info.run_id
        time.sleep(0.1)
