import shutil
from collections.abc import Iterator

import pytest

from digit_exp.tracking.mlflow.sync import mlflow_tracker


@pytest.fixture(scope="module")
def server(tmp_path_factory, migrated, servers) -> Iterator[str]:
    """The address of an MLflow server on this machine, with its web page."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder)
    with servers.mlflow(f"sqlite:///{folder / migrated.name}", folder) as address:
        yield address


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch):
    """Let a store that failed be tried again at once."""
    monkeypatch.setattr(mlflow_tracker, "WAITS", (0.001,))
    monkeypatch.setattr(mlflow_tracker, "PAUSE", 0.0)
