"""What the tests of several rooms need: a store of their own, tiny runs, the real command."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from digit_exp.app.interruption import Interruption
from digit_exp.app.job import LOG, execute
from digit_exp.app.overrides import plan
from digit_exp.tracking.connection import connect
from digit_exp.tracking.store import locate

PYTHON = [sys.executable, "-m"]
COMMAND = [*PYTHON, "digit_exp"]
TINY = [
    *("data=synthetic", "data.samples=200", "data.test_samples=50", "data.val_ratio=0.2"),
    *("model.hidden=[16]", "trainer.epochs=3", "tracking=none"),
]
OWN = {"MLFLOW_TRACKING_URI", "HYDRA_FULL_ERROR", "DIGIT_EXP_SWEEP"}


class Command:
    """Runs `python -m digit_exp` in a folder."""

    def run(self, folder, *words, expect=0, module="digit_exp"):
        """Run to the end, check the exit code and return what was printed."""
        done = subprocess.run(
            [*PYTHON, module, *words],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def interrupt(self, folder, *words, after, by=signal.SIGINT, module="digit_exp"):
        """Send a signal when a line begins with `after`; return exit code and what was printed."""
        process = subprocess.Popen(
            [*PYTHON, module, *words],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if line.startswith(after):
                    process.send_signal(by)
            return process.wait(timeout=60), printed
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _environment():
    return {name: value for name, value in os.environ.items() if name not in OWN}


@pytest.fixture(scope="session")
def command():
    return Command()


@pytest.fixture(autouse=True)
def _own_store(monkeypatch):
    """Keep a test away from the store of the person who runs it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """A database with all its tables, which take MLflow a second to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
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

    def run(folder, *words):
        folder.mkdir(parents=True)
        (folder / LOG).touch()
        (config,) = plan([*TINY, *words]).jobs
        with Interruption() as interruption:
            execute(config, folder, interruption)
        return folder

    return run
