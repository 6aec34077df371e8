"""Reading the ids of runs without MLflow, whose import takes a second or two."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from digit_exp.tracking.mlflow.trials import KIND
from digit_exp.tracking.mlflow.uri import Store


def trial_ids(store: Store) -> set[str] | None:
    """Return the ids of all runs of this program in a SQLite store; None if only MLflow can."""
    if store.database is None:
        return None
    if not store.database.exists():
        return set()
    query = "SELECT run_uuid FROM tags WHERE key = ? AND value = 'trial'"
    try:
        with closing(sqlite3.connect(f"{store.database.as_uri()}?mode=ro", uri=True)) as database:
            return {run_id for (run_id,) in database.execute(query, [KIND])}
    except sqlite3.Error:  # locked, damaged, or another schema: MLflow reports it
        return None
