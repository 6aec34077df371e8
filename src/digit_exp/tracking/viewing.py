"""How a person opens a run in the browser: a command to paste and a link to follow."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from digit_exp.tracking.store import SQLITE, Store

PORT = 5000


def program(folder: Path) -> str:
    """Return how to call `mlflow` of the Python that runs here, its environment active or not."""
    beside = Path(sys.executable).with_name("mlflow")
    if beside.exists():
        return shlex.quote(_seen_from(folder, beside))
    return f"{shlex.quote(_seen_from(folder, Path(sys.executable)))} -m mlflow"


def lines(store: Store, experiment_id: str, run_id: str) -> list[str]:
    """Return the command that starts MLflow's web page, if it needs one, and the run's address."""
    if store.is_server and not store.uri.startswith("http"):
        return [f"{store.address}: experiment {experiment_id}, run {run_id}"]
    # without the workflow, the page opens among MLflow's tools for language models
    page = f"/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
    return opening(store, page)


def opening(store: Store, page: str) -> list[str]:
    """Return the command that starts MLflow's web page, if it needs one, and a page's address."""
    if store.is_server:
        return [f"{store.address.rstrip('/')}{page}"]
    uri = store.address
    if store.database:
        uri = SQLITE + _seen_from(store.folder, store.database)
    command = f"ui --backend-store-uri {shlex.quote(uri)} --port {PORT} --workers 1"
    return [f"{program(store.folder)} {command}", f"http://127.0.0.1:{PORT}{page}"]


def _seen_from(folder: Path, path: Path) -> str:
    """Return the path as one would type it in `folder`."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
