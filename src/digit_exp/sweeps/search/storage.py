"""The database with the trials of a search: its address, its lock, its errors."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from digit_exp.registry import ConfigError
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.errors import reason
from digit_exp.tracking.mlflow.uri import (
    STORAGE,
    STORAGE_ENVIRONMENT,
    database_file,
    hidden,
    masked,
)

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

DEFAULT_STORAGE = "sqlite:///mlruns/optuna.db"


def storage_address(said: str) -> str:
    """Return where trials are kept: as the configuration says, else as the environment does."""
    return os.environ.get(STORAGE_ENVIRONMENT) or said if said == DEFAULT_STORAGE else said


def require_storage(said: str) -> None:
    """Raise ConfigError if the address in a configuration is none, or may have a password."""
    if (shown := masked(said)) != said:
        message = (
            f"{shown} may have a password, and a configuration is written to files. Give it in the"
            f" environment: {STORAGE_ENVIRONMENT}"
        )
        raise ConfigError.at(STORAGE, message)
    address = storage_address(said)
    database_file(address, STORAGE if address == said else STORAGE_ENVIRONMENT)


@contextmanager
def only_process(url: str, name: str) -> Iterator[None]:
    """Hold the search, so that trials found RUNNING in it were left by a process that is dead."""
    database = database_file(url, STORAGE)
    if database is None:
        yield  # on a server, it is up to its users
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    digest = sha256(name.encode()).hexdigest()[:12]  # a name may hold what a file's may not
    lock = FileLock(database.with_name(f"{database.name}.{digest}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"the search {name!r} is being run by another process. Wait for it or stop it"
        raise ConfigError.at("hydra.sweeper.study_name", message) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def open_storage(url: str) -> Iterator[BaseStorage]:
    """Open the storage, made if it is not there, and close its connections in the end."""
    from optuna.exceptions import OptunaError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = RDBStorage(url)
    except (SQLAlchemyError, OptunaError, ImportError) as error:
        raise _unusable(url, error) from error
    try:
        yield storage
    except (SQLAlchemyError, OptunaError) as error:
        raise _unusable(url, error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _unusable(url: str, error: Exception) -> TrackingError:
    """Return the error for a database of trials that cannot be used."""
    return TrackingError(
        f"cannot use {masked(url)} for the trials of the search. Check that it answers and may be"
        f" written to, and that the package for it is installed, or name another: {STORAGE}"
        f"\n  ({hidden(reason(error), url)})"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what Optuna says for its own users from ours: trial by trial, and of experiments."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
