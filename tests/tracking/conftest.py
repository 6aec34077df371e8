import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from digit_exp.tracking import sender


@pytest.fixture(scope="module")
def server(tmp_path_factory, migrated) -> Iterator[str]:
    """The address of an MLflow server on this machine, with its web page."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    database = f"sqlite:///{folder / migrated.name}"
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--backend-store-uri", database, "--artifacts-destination", str(folder)],
            cwd=folder,
            env=os.environ | quiet,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(f"{address}/health"):
            return
        assert process.poll() is None, "the server ended"
        time.sleep(0.1)
    raise TimeoutError(address)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch):
    """Let a store that failed be tried again at once."""
    monkeypatch.setattr(sender, "WAITS", (0.001,))
