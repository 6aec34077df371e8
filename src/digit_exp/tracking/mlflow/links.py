"""How to open a run in the browser: a command and a link."""

import shlex
import sys
from contextlib import suppress
from pathlib import Path

from digit_exp.tracking.mlflow.uri import SQLITE, Store, locate

HOST, PORT = "127.0.0.1", 5000
ID_LENGTH = 12
"""Characters of a run id, of 32, that are shown to be typed."""


def program(folder: Path) -> str:
    """Return how to call `mlflow` of the Python that runs here, its environment active or not."""
    beside = Path(sys.executable).with_name("mlflow")
    if beside.exists():
        return shlex.quote(seen_from(folder, beside))
    return f"{shlex.quote(seen_from(folder, Path(sys.executable)))} -m mlflow"


def lines(store: Store, experiment_id: str, run_id: str) -> list[str]:
    """Return the command that starts MLflow's web page, if it needs one, and the run's address."""
    if store.is_server and not store.uri.startswith("http"):
        return [f"{store.address}: experiment {experiment_id}, run {run_id}"]
    return opening(store, run_page(experiment_id, run_id), run_id[:ID_LENGTH])


def run_page(experiment_id: str, run_id: str) -> str:
    """Return the address of a run's page, from the `/#` on."""
    # without the workflow, the page opens among MLflow's tools for language models
    return f"/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def run_address(store: Store, experiment_id: str, run_id: str) -> str | None:
    """Return the address of a run's page on its server, or where `ui` serves it; None if unknown.

    >>> run_address(Store("http://host:80", Path()), "1", "abc")
    'http://host:80/#/experiments/1/runs/abc?workflowType=machine_learning'
    """
    if store.is_server and not store.uri.startswith("http"):
        return None
    server = store.address.rstrip("/") if store.is_server else f"http://{HOST}:{PORT}"
    return f"{server}{run_page(experiment_id, run_id)}"


def opening(store: Store, page: str, run: str) -> list[str]:
    """Return the command that starts MLflow's web page at a run, or its address on a server.

    If a page is there already, its address follows the command.
    """
    if store.is_server:
        return [f"{store.address.rstrip('/')}{page}"]
    python = shlex.quote(seen_from(store.folder, Path(sys.executable)))
    return [
        f"{python} -m digit_exp ui {shlex.quote(run)}{_elsewhere(store)}",
        *([f"http://{HOST}:{PORT}{page}"] if _answers() else []),
    ]


def _answers() -> bool:
    """Return whether MLflow answers where `ui` would serve it."""
    from urllib.request import urlopen  # slow to import

    address = f"http://{HOST}:{PORT}/health"
    with suppress(OSError, ValueError), urlopen(address, timeout=0.5) as answer:
        return bool(answer.read(3) == b"OK")
    return False


def _elsewhere(store: Store) -> str:
    """Return the option that says where the store is, if that is not the default."""
    if store.uri == locate(None, store.folder).uri:
        return ""
    uri = SQLITE + seen_from(store.folder, store.database) if store.database else store.address
    return f" --uri {shlex.quote(uri)}"


def seen_from(folder: Path, path: Path) -> str:
    """Return the path as one would type it in `folder`."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
