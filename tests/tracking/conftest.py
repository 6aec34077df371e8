import shutil
from pathlib import Path

import pytest

from digit_exp.tracking.connection import connect
from digit_exp.tracking.store import locate


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
