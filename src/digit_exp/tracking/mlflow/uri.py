"""Where runs are kept: an address, made absolute. Knows nothing of what is behind it.

Without an address it is a SQLite database in `mlruns/` of the folder where the command was
started. The address of a database is a URL, and SQLAlchemy and MLflow disagree on how to escape
one, so that a path which would need escaping is refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from digit_exp.registry import ConfigError, Problem

ENVIRONMENT = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Store:
    """One place that MLflow can write to. `folder` is where the command was started."""

    uri: str
    folder: Path
    database: Path | None = None  # the file, if it is SQLite

    @property
    def is_server(self) -> bool:
        """Whether a server answers here, which then decides where artifacts go."""
        return self.uri.startswith(("http:", "https:", "databricks"))

    @property
    def address(self) -> str:
        """The address as it may be shown: without a password."""
        return without_password(self.uri)

    def artifact_location(self, experiment: str) -> str | None:
        """Return the address of the folder for an experiment's files; a server chooses its own."""
        if self.is_server:
            return None
        root = self.database.parent if self.database else self.folder / "mlruns"
        return (root / "artifacts" / re.sub(r"[/\\]", "_", experiment)).as_uri()


def locate(uri: str | None, folder: Path) -> Store:
    """Return the store at `uri`, else at MLFLOW_TRACKING_URI, else in `folder/mlruns`.

    >>> locate("sqlite:///runs.db", Path("/home/me")).uri
    'sqlite:////home/me/runs.db'
    """
    folder = folder.absolute()
    key = "tracking.uri" if uri else ENVIRONMENT
    uri = uri or os.environ.get(ENVIRONMENT) or f"{SQLITE}mlruns/mlflow.db"
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", uri):
        raise ConfigError(Problem(key, f"{uri!r} has no scheme; write {key}=http://{uri}"))
    if uri.startswith("file:") or ("://" not in uri and not uri.startswith("databricks")):
        raise ConfigError(
            Problem(
                key,
                f"{uri!r} is a folder, and MLflow 3 does not track into folders. Leave it out to"
                f" use mlruns/mlflow.db, or name a database (sqlite:///runs.db) or a server"
                f" (http://127.0.0.1:5000)",
            )
        )
    return _sqlite(uri, folder, key) if uri.startswith(SQLITE) else Store(uri, folder)


def without_password(text: str) -> str:
    """Return the text with the password of every address in it replaced.

    >>> without_password("no answer from postgresql://me:secret@host/runs")
    'no answer from postgresql://me:***@host/runs'
    """
    return re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1:***@", text)


def _sqlite(uri: str, folder: Path, key: str) -> Store:
    path, mark, options = uri.removeprefix(SQLITE).partition("?")
    if path in ("", ":memory:"):
        raise ConfigError(Problem(key, f"{uri!r} keeps nothing; say tracking=none instead"))
    database = folder / unquote(path)
    if "?" in str(database) or unquote(str(database)) != str(database):
        raise ConfigError(
            Problem(
                key,
                f"the path {str(database)!r} has characters that mean something else in a database"
                f" address ('?', or '%' and two digits). Rename the folder, or name another place,"
                f" such as tracking.uri=sqlite:////home/me/runs/mlflow.db",
            )
        )
    return Store(f"{SQLITE}{database}{mark}{options}", folder, database)
