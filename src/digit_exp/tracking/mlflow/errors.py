"""Exceptions of a store as one line of text, with advice."""

import errno
import shlex
from enum import Enum

from digit_exp.tracking.mlflow.links import seen_from
from digit_exp.tracking.mlflow.uri import Store, without_password

DAMAGED = "It is damaged. `mv {file} {file}.damaged` puts it aside, and a new one is begun"
ADVICE = {
    "is locked": "Another program has locked it; `fuser -v {file}` tells which. Wait for it",
    "not a database": DAMAGED,
    "malformed": DAMAGED,
}
"""Messages of SQLite, and what to do."""


def reason(error: Exception) -> str:
    """Return the first line of what went wrong, without passwords.

    SQLAlchemy adds advice and statements to the message of the database, and MLflow wraps that.
    """
    for wrapped in (error, error.__cause__):
        if (said := getattr(wrapped, "orig", None)) is not None:
            error = said
    return without_password(str(error).strip().split("\n")[0]) or type(error).__name__


def advice(error: Exception, store: Store) -> str:
    """Return what may help, as the beginning of a sentence."""
    said = reason(error)
    if store.database is not None:
        file = shlex.quote(seen_from(store.folder, store.database))
        for word, text in ADVICE.items():
            if word in said:
                return text.format(file=file)
    return "Check that it is there and may be written to"


HOPELESS = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
"""Errors of MLflow for which another try does not help."""

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""Errors of the folder for files, which may be on another disk than the database."""


class Refusal(Enum):
    """Why a store that answers does not take one thing."""

    final = "another try will not help"
    perhaps = "another try may help"


def refusal(error: Exception) -> Refusal | None:
    """Return how a store refused one thing; None if it could not be reached at all."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, MlflowException):
        if error.error_code in HOPELESS:
            return Refusal.final
        # whatever a database raises is that: a collision, a pool run dry, a value too long
        return Refusal.perhaps if error.error_code == "BAD_REQUEST" else None
    if isinstance(error, HTTPError):  # of a file, which may be larger than a proxy lets by
        status = None if error.response is None else error.response.status_code
        return Refusal.perhaps if status in (400, 413) else None
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return Refusal.perhaps
    return None
