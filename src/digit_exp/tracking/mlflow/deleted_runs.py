"""Deleted runs of a SQLite store: what they take of the disk, and how they go for good.

MLflow keeps a deleted run so that it can be restored. `mlflow gc` frees its disk, but with every
deleted experiment, and without looking whether a registered model needs it. So its steps are called
here for one run at a time.
"""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import connect, translate_errors
from digit_exp.tracking.mlflow.queries import rows
from digit_exp.tracking.mlflow.uri import Store
from digit_exp.tracking.tags import Tag

DELETED = """
    SELECT run_uuid, artifact_uri, deleted_time FROM runs JOIN tags USING (run_uuid)
    WHERE key = ? AND lifecycle_stage = 'deleted'
"""
MODELS = "SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = ?"
REGISTERED = """
    SELECT run_id FROM model_versions WHERE run_id IS NOT NULL
    AND current_stage IS NOT 'Deleted_Internal'
"""


@dataclass(frozen=True)
class DeletedRun:
    """A run of this program that was deleted and can still be restored."""

    run_id: str
    when: float
    """When it was deleted, in seconds since 1970."""
    places: dict[str, Path]
    """The folders with its files: of the run itself by its id, of its models by theirs."""


def deleted_runs(store: Store) -> list[DeletedRun]:
    """Return the deleted runs whose files are all on this disk; none if there is no SQLite file.

    Raises TrackingError if the file is not a database of MLflow.
    """
    found = []
    for run_id, uri, when in _rows(store, DELETED, Tag.KIND):
        if uri.startswith(("file:", "/")):
            own = {run_id: _path(uri).parent}  # MLflow keeps them in RUN/artifacts
            models = {name: _path(place) for name, place in _rows(store, MODELS, run_id)}
            found.append(DeletedRun(run_id, (when or 0) / 1000, own | models))
    return found


def registered_runs(store: Store) -> set[str]:
    """Return the ids of the runs that registered models come from."""
    return {run_id for (run_id,) in _rows(store, REGISTERED)}


def erase(store: Store, run: DeletedRun) -> None:
    """Remove a deleted run with its files and models; it cannot be restored afterwards."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    client = connect(store)
    with translate_errors(store):
        if client.get_run(run.run_id).info.lifecycle_stage != "deleted":
            raise TrackingError(f"the MLflow run {run.run_id} has been restored; it is kept")
        assert store.database is not None
        files = (store.database.parent / "artifacts").as_uri()
        backend = SqlAlchemyStore(store.uri, files)  # type: ignore[no-untyped-call]
        for name, place in run.places.items():
            shutil.rmtree(place, ignore_errors=not place.exists())
            if name != run.run_id:
                backend._hard_delete_logged_model(name)  # type: ignore[no-untyped-call]
        backend._hard_delete_run(run.run_id)  # type: ignore[no-untyped-call]
        backend.engine.dispose()


def _path(uri: str) -> Path:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]


def _rows(store: Store, query: str, *values: str) -> list[Any]:
    if store.database is None or not store.database.exists():
        return []
    try:
        return rows(store.database, query, *values)
    except sqlite3.Error as error:
        raise TrackingError(f"cannot read the MLflow store {store.address}: {error}") from error
