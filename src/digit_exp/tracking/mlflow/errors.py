"""What an exception of a store comes to, in one line for a person, and what to do about it."""

from __future__ import annotations

import shlex

from digit_exp.tracking.mlflow.uri import Store, without_password

DAMAGED = "It is damaged. `mv {file} {file}.damaged` puts it aside, and a new one is begun"
ADVICE = {
    "is locked": "Another program has locked it; `fuser -v {file}` tells which. Wait for it",
    "not a database": DAMAGED,
    "malformed": DAMAGED,
}
"""What SQLite says, and what to do."""


def reason(error: Exception) -> str:
    """Return the first line of what went wrong, without passwords.

    SQLAlchemy wraps what the database said in advice and statements, and MLflow wraps that.
    """
    for wrapped in (error, error.__cause__):
        if (said := getattr(wrapped, "orig", None)) is not None:
            error = said
    return without_password(str(error).strip().split("\n")[0]) or type(error).__name__


def advice(error: Exception, store: Store) -> str:
    """Return what may help, for a sentence that goes on."""
    said = reason(error)
    if store.database is not None:
        folder, file = store.folder, store.database
        seen = file.relative_to(folder) if file.is_relative_to(folder) else file
        for word, text in ADVICE.items():
            if word in said:
                return text.format(file=shlex.quote(str(seen)))
    return "Check that it is there and may be written to"
