"""What the tests of several folders need: a store of their own, tiny runs, the real command."""

import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from contextlib import closing, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import event
from sqlalchemy.pool import Pool

from commands import Command, CopiedCommand
from digit_exp.atomic import whole
from digit_exp.config.compose import compose
from digit_exp.plots.parts.canvas import draw
from digit_exp.runs import paths
from digit_exp.runs.runner import execute
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.uri import locate
from tiny_runs import WORDS, run

SECONDS_TO_START = 120
DOT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""


def dot(_, path):
    """Write the file of a figure without drawing it."""
    with whole(path) as draft:
        draft.write_bytes(DOT)
    return path


class StoredSweep:
    """Reads back what a sweep left."""

    @staticmethod
    def client(store):
        """Return a client of a server's address, or of the database below a folder."""
        is_address = str(store).startswith("http")
        return MlflowClient(store if is_address else f"sqlite:///{store}/mlruns/mlflow.db")

    def runs(self, store, kind="trial", experiment="digits"):
        """Return the runs of a kind: trial, sweep, superseded."""
        client = self.client(store)
        number = client.get_experiment_by_name(experiment).experiment_id
        return client.search_runs([number], f"tags.\"digit_exp.kind\" = '{kind}'")

    def files(self, store, run):
        """Return the names of a run's artifacts, at the top."""
        return {file.path for file in self.client(store).list_artifacts(run.info.run_id)}

    @staticmethod
    def table(printed):
        """Return the ranking at the end of a sweep."""
        end = printed[printed.index("\n#  ") : printed.index("\nreport:")]
        return end.partition("\nimportance")[0]


@pytest.fixture
def terminal(monkeypatch):
    """Let standard output be a terminal of so many columns; None: a pipe, whatever COLUMNS says."""

    def of(columns):
        monkeypatch.setattr("sys.stdout.isatty", lambda: columns is not None)
        monkeypatch.setenv("COLUMNS", str(columns or 20))

    return of


class Servers:
    """Starts processes that answer on a port of this machine, and ends them."""

    @staticmethod
    def free_port():
        with closing(socket.socket()) as candidate:
            candidate.bind(("127.0.0.1", 0))
            return candidate.getsockname()[1]

    @contextmanager
    def mlflow(self, database, folder):
        """Yield the address of an MLflow server, which keeps its files in `folder`."""
        folder.mkdir(exist_ok=True)
        port = self.free_port()
        address = f"http://127.0.0.1:{port}"
        store = [
            "--backend-store-uri",
            database,
            "--artifacts-destination",
            str(folder / "artifacts"),
        ]
        words = [*store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-m", "mlflow", "server", *words]

        def answer():
            urllib.request.urlopen(f"{address}/health", timeout=1).close()

        environment = os.environ | quiet
        with self.running(command, folder, answer, stop=signal.SIGTERM, env=environment):
            yield address

    @contextmanager
    def running(self, command, folder, answer, *, stop, **options):
        """Run a process in a group of its own, which ends with it, once `answer` does not raise."""
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, start_new_session=True, **options
            )
            try:
                self._wait(process, folder, answer)
                yield process
            finally:
                process.send_signal(stop)
                try:
                    process.wait(timeout=30)
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    @staticmethod
    def _wait(process, folder, answer):
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return answer()
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.2)


@pytest.fixture(scope="session")
def fresh_command():
    """The command in processes that start as a person's do."""
    return Command()


@pytest.fixture(scope="session")
def command(tmp_path_factory, migrated):
    """The command in copies of this process, which has imported and compiled what they need."""
    for name in ("optuna", "mlflow.pyfunc", "digit_exp.sweeps.launch", "digit_exp.sweeps.run_job"):
        import_module(name)
    run(tmp_path_factory.mktemp("warm"))
    return CopiedCommand() if sys.platform == "linux" else Command()


@pytest.fixture(scope="session", autouse=True)
def _own_store():
    """Keep the tests away from the store of the person who runs them."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(autouse=True)
def _own_logging():
    """Take away the log handlers of a command that ran in this process, and close their files."""
    before = logging.root.handlers[:]
    yield
    for handler in logging.root.handlers[:]:
        if handler not in before and not type(handler).__module__.startswith("_pytest"):
            logging.root.removeHandler(handler)
            handler.close()


@event.listens_for(Pool, "connect")
def _do_not_wait_for_the_disk(connection, _):
    """Let databases survive a kill, as all tests need, and no power cut."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@contextmanager
def figures_by(draw):
    """Let a function write the figures of runs and reports."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("digit_exp.plots.parts.canvas", "digit_exp.analysis.report.render"):
            patch.setattr(f"{module}.draw", draw)
        yield


@pytest.fixture(scope="session", autouse=True)
def _dots_for_figures():
    """Write dots instead of figures, which take most of the time of a tiny run."""
    with figures_by(dot):
        yield


@pytest.fixture(scope="session")
def drawing():
    """Return a context in which figures are drawn."""
    return partial(figures_by, draw)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """A database with all its tables, which take MLflow a second to make."""
    store = locate(None, tmp_path_factory.mktemp("migrated"))
    connect(store)
    return store.database


@pytest.fixture
def folder(tmp_path, migrated) -> Path:
    """A folder in which runs have been tracked before."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(migrated, tmp_path / "mlruns")
    return tmp_path


@pytest.fixture
def train():
    """Makes a tiny run in a folder, without a process of its own, and returns the folder."""

    def trained(folder, *words):
        folder.mkdir(parents=True)
        (folder / paths.LOG).touch()
        (config,) = compose([*WORDS, *words]).jobs
        with Interruption() as interruption:
            execute(config, folder, interruption)
        return folder

    return trained


@pytest.fixture(scope="session")
def reading():
    return StoredSweep()


@pytest.fixture(scope="session")
def servers():
    return Servers()
