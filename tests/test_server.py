"""A sweep on a server that is shared: `mlflow server` over HTTP, with PostgreSQL behind it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from mlflow import MlflowClient

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SECONDS_TO_START = 120
ROOTS_SUBSTITUTE = "postgres"  # the Debian package makes this user; PostgreSQL refuses root

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL in /usr/lib/postgresql"),
    pytest.mark.skipif(find_spec("psycopg2") is None, reason="psycopg2 is not installed"),
]

GRID = ["-m", "data=synthetic", "trainer.epochs=3", "optimizer=sgd,adam", "model.hidden=[8],[16]"]


@pytest.fixture
def server(tmp_path):
    """Yield the address of a fresh server."""
    with _database() as database, _mlflow(database, tmp_path / "server") as address:
        yield address


@contextmanager
def _database():
    """Run a cluster of its own, in a folder that its user may enter."""
    user = ROOTS_SUBSTITUTE if os.geteuid() == 0 else None
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    folder, port = Path(tempfile.mkdtemp(prefix="digit-exp-")), _free_port()
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
        with _running(command, folder, stop=signal.SIGINT, **identity) as process:
            _wait(process, folder, lambda: socket.create_connection(("127.0.0.1", port), 1).close())
            # The driver by name: SQLAlchemy 2.1 takes psycopg 3 for a bare postgresql://
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _mlflow(database, folder):
    folder.mkdir()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")]
    words = [*store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with _running(command, folder, stop=signal.SIGTERM, env=environment) as process:
        _wait(
            process, folder, lambda: urllib.request.urlopen(f"{address}/health", timeout=1).close()
        )
        yield address


@contextmanager
def _running(command, folder, *, stop, **options):
    """Run a process in a group of its own, which ends with it: servers have workers."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, **options
        )
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(timeout=30)
            finally:
                _kill_group(process.pid)
                process.wait()


def _kill_group(number):
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait(process, folder, answer):
    """Return when `answer` raises nothing any more; fail with the log in `folder`."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return answer()
        except OSError:
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)


def _free_port():
    with closing(socket.socket()) as candidate:
        candidate.bind(("127.0.0.1", 0))
        return candidate.getsockname()[1]


def _runs(address, kind):
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("digits").experiment_id
    return client, client.search_runs([experiment], f"tags.\"digit_exp.kind\" = '{kind}'")


def _table(printed):
    """Return the ranking at the end of a sweep."""
    return printed[printed.index("\n#  ") : printed.index("\nreport:")]


def test_a_grid_on_a_server_runs_once_and_leaves_no_store_in_the_folder(tmp_path, command, server):
    folder = tmp_path / "work"
    folder.mkdir()
    words = [*GRID, f"tracking.uri={server}"]
    printed = command.run(folder, *words).stdout
    client, trials = _runs(server, "trial")
    _, (parent,) = _runs(server, "sweep")
    assert [trial.info.status for trial in trials] == ["FINISHED"] * 4
    assert {trial.data.tags["mlflow.parentRunId"] for trial in trials} == {parent.info.run_id}
    assert parent.info.status == "FINISHED"
    artifacts = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "report.md", "figures", "experiment"} <= artifacts
    assert f"{server}/#/" in printed
    assert not (folder / "mlruns").exists()

    again = command.run(folder, *words).stdout
    assert again.count("was done before") == 4
    assert _table(again) == _table(printed)
    assert len(_runs(server, "trial")[1]) == 4
    assert len(_runs(server, "sweep")[1]) == 1
    assert not (folder / "mlruns").exists()


def test_two_people_run_the_halves_of_one_grid_in_folders_of_their_own(tmp_path, command, server):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    shared = [*GRID[:-1], "sweep.name=both", f"tracking.uri={server}"]
    command.run(here, *shared, "model.hidden=[8]")
    printed = command.run(there, *shared, "model.hidden=[16]").stdout
    assert len(_table(printed).splitlines()) == 3 + 4
    assert len(_runs(server, "sweep")[1]) == 1

    whole = command.run(there, *shared, "model.hidden=[8],[16]").stdout
    assert whole.count("was done before, elsewhere") == 2
    assert whole.count("was done before") == 4
    assert _table(whole) == _table(printed)
    assert len(_runs(server, "trial")[1]) == 4
