"""Opens the MLflow client of a store, or raises a TrackingError that says why it cannot.

MLflow creates the tables of a new database without a lock, and migrates an old one unasked. Two
runs that start together would crash, a run killed in its first second would leave a broken
database, and an older MLflow could no longer read its runs. So a SQLite file is created under a
lock and moved to its place when it is complete, and a database of another schema is refused.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.errors import advice, reason
from digit_exp.tracking.mlflow.links import program
from digit_exp.tracking.mlflow.uri import SQLITE, Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow would retry for many minutes; `sync` tries again itself
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "40",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    # else a proxy's "Retry-After: 3600" lets a thread sleep for an hour
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
SHORT_TIMEOUT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
LOCK_SECONDS = 300  # of a machine that is very busy
LOOK_SECONDS = 0.2


def connect(store: Store) -> MlflowClient:
    """Return a client of a store that exists, has the schema of this MLflow and answers."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for told in (
        "urllib3",
        "mlflow.store.db.utils",
    ):  # they log each try, the latter with a traceback
        logging.getLogger(told).setLevel(logging.CRITICAL)
    with translate_errors(store), short_timeout() if store.is_server else nullcontext():
        if not store.is_server:
            _make(store)
            _refuse_other_schema(store)
        client = MlflowClient(store.uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def short_timeout() -> Iterator[None]:
    """Give a server five seconds for an answer, unless the environment says otherwise.

    For the start of a run, while the user waits.
    """
    before = dict(os.environ)
    for name, value in SHORT_TIMEOUT.items():
        if before.get(name) in (None, QUIET[name]):
            os.environ[name] = value
    try:
        yield
    finally:
        for name in SHORT_TIMEOUT:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def translate_errors(store: Store) -> Iterator[None]:
    """Turn exceptions of MLflow, SQLAlchemy and files into a TrackingError with advice."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise TrackingError(
            f"cannot use the MLflow store {store.address}. {advice(error, store)}, or train"
            f" without it: tracking=none\n  ({store.hide(reason(error))})"
        ) from error


def experiment_id(client: MlflowClient, store: Store, name: str) -> str:
    """Return the id of the experiment called `name`, which is created if it is missing."""
    found = _experiment_id(client, store, name)
    if not found:  # as of a page that answers {} to anything
        raise TrackingError(
            f"what answers at {store.address} is no MLflow server: it knows no experiments."
            " Check tracking.uri, or train without it: tracking=none"
        )
    return found


def _experiment_id(client: MlflowClient, store: Store, name: str) -> str:
    from mlflow.exceptions import MlflowException

    location = store.artifact_location(name)
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(
                name,
                artifact_location=location,
                tags={"mlflow.experimentKind": "custom_model_development"},
            )
        except MlflowException:  # another run was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the MLflow experiment {name!r} was deleted. Bring it back with\n"
            f"  MLFLOW_TRACKING_URI={store.address} {program(store.folder)} experiments restore"
            f" --experiment-id {found.experiment_id}\n"
            "or choose another: tracking.experiment=NAME"
        )
    if store.database and found.artifact_location != location:
        logger.warning(
            "the experiment %r keeps its files where it was created, in %s;"
            " tracking.experiment=NAME starts one beside the database",
            name,
            found.artifact_location,
        )
    return str(found.experiment_id)


def _make(store: Store) -> None:
    """Create a SQLite database if it is missing. One that exists is complete, and needs no lock."""
    database = store.database
    if database is None or database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(database.with_name(f"{database.name}.lock"))
    patience = time.monotonic() + LOCK_SECONDS
    while not database.exists():  # a process that waits needs the database, not the lock
        try:
            with lock.acquire(timeout=LOOK_SECONDS):
                if not database.exists():
                    _create(database)
        except Timeout:
            if time.monotonic() > patience:
                raise


def _create(database: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = database.with_name(f".{database.name}.new")
    for suffix in ("", "-journal"):  # of a run that was killed here
        unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    files = (database.parent / "artifacts").as_uri()
    # it writes the default experiment too, which else the first access would do
    made = SqlAlchemyStore(f"{SQLITE}{unfinished}", files)  # type: ignore[no-untyped-call]
    made.engine.dispose()
    unfinished.replace(database)


def _refuse_other_schema(store: Store) -> None:
    """Raise if the database belongs to another version of MLflow, before it is migrated."""
    import mlflow
    from alembic.migration import MigrationContext
    from mlflow.store.db import utils

    engine = utils.create_sqlalchemy_engine(store.uri)  # type: ignore[no-untyped-call]
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    newest, *older = _schemas()
    if found in (None, newest):
        return
    if found in older:
        advice = (
            "an older MLflow. Make a copy of it, then run\n"
            f"  {program(store.folder)} db upgrade {store.address}"
        )
    else:
        advice = (
            f"a newer MLflow than {mlflow.__version__}. Install that version,"
            " or name another database: tracking.uri=sqlite:///runs.db"
        )
    raise TrackingError(f"the database {store.address} was made by {advice}")


@cache
def _schemas() -> list[str]:
    """Return the revisions of MLflow's tables, the newest first."""
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return [script.revision for script in scripts.walk_revisions()]
