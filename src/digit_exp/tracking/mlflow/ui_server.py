"""MLflow's web page on a store, as a process that lives as long as the command that started it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import QUIET
from digit_exp.tracking.mlflow.links import HOST, PORT
from digit_exp.tracking.mlflow.uri import Store

LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # no job runner and its seven processes
START = "DIGIT_EXP_UI_START"
"""The variable that tells the server the page to begin at; empty: MLflow's own."""

START_SECONDS, STOP_SECONDS = 120, 10
TRIES = 100
"""Ports that are tried, from the one asked for on."""


def free_port(first: int = PORT) -> int:
    """Return the first free port from `first` on; raises TrackingError."""
    last = min(first + TRIES - 1, 65535)
    for port in range(first, last + 1):
        with socket.socket() as taken:
            # as the server will: a port that was closed a moment ago is free
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                taken.bind((HOST, port))
                return port
    raise TrackingError(f"ports {first} to {last} are all in use; choose another: --port 8080")


SOURCE = Path(__file__).parents[3]
"""Where the package lies, installed or not."""


@contextmanager
def web_page(store: Store, port: int, start: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Serve MLflow's page of a database at `port` while the block runs.

    The plain address goes on to the page `start`, from the `/#` on. Raises TrackingError, with
    the last lines of its output, if the server does not start.
    """
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

    command = [sys.executable, "-m", "uvicorn", "digit_exp.tracking.mlflow.ui_app:app"]
    options = ["--app-dir", str(SOURCE), "--host", HOST, "--port", str(port)]
    # in the environment: whoever lists processes reads their arguments
    address = {BACKEND_STORE_URI_ENV_VAR: store.uri, START: start}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=store.folder,
            env={**QUIET, **os.environ, **LIGHT, "PATH": path, **address},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C does not reach the server; `_stop` ends it
        )
        try:
            if not _answers(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()[-5:]
                raise TrackingError("\n  ".join(["MLflow's page did not come up", *said]))
            yield process
        finally:
            _stop(process)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server answers; False if it ended, or is too slow."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
            return True
        time.sleep(0.1)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
            break
    with suppress(ProcessLookupError):  # a worker that outlived it
        os.killpg(process.pid, signal.SIGKILL)
