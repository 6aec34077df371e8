"""The address of a store, checked and made absolute.

Without an address it is a SQLite database in `mlruns/` of the folder where the command was
started. The address of a database is a URL, and SQLAlchemy and MLflow disagree on how to escape
one, so that a path which would need escaping is refused.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from digit_exp.registry import ConfigError

ENVIRONMENT = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
STORAGE, STORAGE_ENVIRONMENT = "hydra.sweeper.storage", "OPTUNA_STORAGE"
"""What says where a search keeps its trials; the address is read alike."""
DEFAULT = "mlruns/mlflow.db"
HARMLESS = {"charset", "connect_timeout", "driver", "sslmode", "timeout"}
"""Options of a database's address that hold no secret."""


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
        return masked(self.uri)

    def hide(self, text: str) -> str:
        """Return a text that may mention the address, as it may be shown."""
        return hidden(text, self.uri)

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
    uri = uri or os.environ.get(ENVIRONMENT) or f"{SQLITE}{DEFAULT}"
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", uri):
        raise ConfigError.at(key, f"{uri!r} has no scheme; write {key}=http://{uri}")
    if uri.startswith("file:") or ("://" not in uri and not uri.startswith("databricks")):
        raise ConfigError.at(
            key,
            f"{masked(uri)!r} is a folder, and MLflow 3 does not track into folders. Leave it"
            " out to use mlruns/mlflow.db, or name a database (sqlite:///runs.db) or a server"
            " (http://127.0.0.1:5000)",
        )
    store = Store(uri, folder)
    return store if store.is_server else _sqlite(uri, folder, key)


def has_password(text: str) -> bool:
    """Return whether a text mentions an address with a user and a password.

    >>> has_password("see postgresql://me:p@ss@host/db"), has_password("https://host/?tab=1")
    (True, False)
    """
    return re.search(r"[\w.+-]+://[^\s:/@]*:\S*@", text) is not None


def hidden(text: str, uri: str) -> str:
    """Return a text that may mention an address or its secrets alone, as it may be shown.

    >>> hidden("wrong percent sign in 'p%ss' for host", "postgresql://me:p%ss@host/db")
    "wrong percent sign in '***' for host"
    """
    rest = uri.partition("://")[2]
    options = [option.partition("=") for option in re.split("[&;]", rest.partition("?")[2])]
    secrets = {value if sign else key for key, sign, value in options if key not in HARMLESS}
    secrets.add(rest.rpartition("@")[0].partition(":")[2])
    text = without_password(text.replace(uri, masked(uri)))
    for secret in sorted(secrets | {*map(unquote, secrets)}, key=len, reverse=True):
        if secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text


def without_password(text: str) -> str:
    """Return the text with what may be secret in each address replaced, as `masked` does.

    >>> without_password("no answer from postgresql://me:secret@host/runs")
    'no answer from postgresql://me:***@host/runs'
    """
    return re.sub(r"[\w.+-]+://\S+", lambda address: masked(address.group()), text)


def masked(uri: str) -> str:
    """Return an address of which only what is known to be harmless can be read.

    Up to its last `@` it may be a password, whatever characters that has; so may be any option.

    >>> masked("postgresql://me:p@ss/w%rd@host/runs?sslmode=require&password=secret")
    'postgresql://me:***@host/runs?sslmode=require&password=***'
    """
    scheme, mark, rest = uri.partition("://")
    if not mark and re.search("[@?]", uri):  # no address, but perhaps meant as one
        return "***"
    if not mark or scheme.lower().startswith("sqlite"):
        return uri
    user, at, place = rest.rpartition("@")
    if "?" in user:  # a password with a question mark, or an option with an @
        return f"{scheme}{mark}***"
    place, question, options = place.partition("?")
    name = re.match(r"[\w.-]+:", user)
    hidden = f"{name.group() if name else ''}***@" if at else ""
    shown = "&".join(map(_option, re.split("[&;]", options)))
    return f"{scheme}{mark}{hidden}{place}{question}{shown}"


def _option(option: str) -> str:
    key, sign, _ = option.partition("=")
    if key in HARMLESS or not option:
        return option
    return f"{key}=***" if sign else "***"


def database_file(uri: str, key: str) -> Path | None:
    """Return the file of a SQLite database, as the library reads its address; None for a server.

    Raises ConfigError, under `key`, for what is no address or a database that forgets.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError) as error:
        sentence = f"{masked(uri)!r} is not an address of a database ({hidden(str(error), uri)})"
        raise ConfigError.at(key, f"{sentence}. Write such as sqlite:///runs.db") from None
    if url.get_backend_name().lower() != "sqlite":
        if "@" in (url.host or ""):
            raise ConfigError.at(key, f"{masked(uri)}: write an @ in a password as %40")
        return None
    path = url.database or ""
    if path in ("", ":memory:") or path.startswith("file:") or url.query.get("mode") == "memory":
        instead = "" if key in (STORAGE, STORAGE_ENVIRONMENT) else ", or say tracking=none instead"
        raise ConfigError.at(
            key,
            f"{uri!r} keeps nothing, or is no plain file. Name a file (sqlite:///runs.db){instead}",
        )
    if url.host or url.username or url.drivername.lower() not in ("sqlite", "sqlite+pysqlite"):
        raise ConfigError.at(key, f"{uri!r}: write such as sqlite:///runs.db")
    return Path(path)


def _sqlite(uri: str, folder: Path, key: str) -> Store:
    """Return the store in a SQLite file. The default is known to be one, without the library."""
    file = Path(DEFAULT) if uri == f"{SQLITE}{DEFAULT}" else database_file(uri, key)
    if file is None:
        return Store(uri, folder)
    database, (_, mark, options) = folder / file, uri.partition("?")
    if "?" in str(database) or unquote(str(database)) != str(database):
        raise ConfigError.at(
            key,
            f"the path {str(database)!r} has characters that mean something else in a database"
            f" address ('?', or '%' and two digits). Rename the folder, or name another place,"
            f" such as tracking.uri=sqlite:////home/me/runs/mlflow.db",
        )
    if database.exists() and not database.is_file():
        raise ConfigError.at(key, f"{database} is not a file. Name another place")
    return Store(f"{SQLITE}{database}{mark}{options}", folder, database)
