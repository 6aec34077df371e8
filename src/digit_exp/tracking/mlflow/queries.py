"""The runs in a store, read: of a sweep, of an experiment, or all, with their curves and files.

The runs of a sweep are found by the tag with its name, not by their parent: a server may have been
given two parents at once.
"""

from __future__ import annotations

import json
import logging
import platform
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from digit_exp.arrays import Metrics
from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.connect import connect, translate_errors
from digit_exp.tracking.mlflow.uri import Store
from digit_exp.tracking.tags import Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

SUPERSEDED = "superseded"
"""The kind of a run that was a trial, until its configuration was run anew."""
RUNNING = "attributes.status = 'RUNNING'"
PAGE = 1000  # runs a call


@dataclass(frozen=True)
class Trial:
    """What the store knows of one run. `metrics` holds the last value of each."""

    run_id: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Metrics
    name: str = ""
    experiment_id: str = ""
    started: float = 0.0
    """Seconds since 1970."""

    @property
    def config(self) -> dict[str, object]:
        """The parameters as values: numbers, lists and null are JSON."""
        return {key: _value(text) for key, text in self.params.items()}

    @property
    def is_running(self) -> bool:
        """Whether a living process works on it, as far as can be seen from here."""
        return self.status == "RUNNING" and not ownership.is_gone(self.tags)


class RunStore:
    """A store that exists, to be read."""

    def __init__(self, store: Store, client: MlflowClient | None = None) -> None:
        self.store = store
        self.client = client or connect(store)
        self._histories: dict[tuple[str, ...], list[Metrics]] = {}
        """Of runs that have ended, which will not change."""

    def trials(self) -> list[Trial]:
        """Return every run of this program, the latest first; parents of sweeps are none."""
        with translate_errors(self.store):
            return list(search(self.client, _experiments(self.client), is_trial_of(None)))[::-1]

    def history(self, trial: Trial, *metrics: str) -> list[Metrics]:
        """Return these metrics of each epoch, with its number as `epoch`, as a trainer's history.

        A metric that was not measured in an epoch is left out of it.
        """
        key = (trial.run_id, *metrics)
        if key in self._histories:
            return self._histories[key]
        epochs: dict[int, dict[str, float]] = {}
        with translate_errors(self.store):
            points = [
                (name, point)
                for name in metrics
                for point in self.client.get_metric_history(trial.run_id, name)
            ]
        for name, point in points:
            if point.step > 0:  # the metrics of the whole run are at step 0
                epochs.setdefault(point.step, {"epoch": point.step})[name] = point.value
        found: list[Metrics] = [epochs[step] for step in sorted(epochs)]
        if trial.status != "RUNNING":
            self._histories[key] = found
        return found

    def has(self, run_id: str, path: PurePath) -> bool:
        """Tell whether a run has an artifact, a file or a folder."""
        parent = path.parent.as_posix() if path.parent.parts else None
        with translate_errors(self.store):
            known = self.client.list_artifacts(run_id, parent)
        return path.as_posix() in {item.path for item in known}

    def fetch(self, run_id: str, path: PurePath, folder: Path | None = None) -> Path | None:
        """Copy an artifact, file or folder, below `folder`; return where it is, if there is one.

        Without a folder, the copy goes with this object.
        """
        if not self.has(run_id, path):
            return None
        folder = folder or self._copies / run_id
        folder.mkdir(parents=True, exist_ok=True)
        with translate_errors(self.store):
            return Path(self.client.download_artifacts(run_id, path.as_posix(), str(folder)))

    def files(self, run_id: str) -> list[str]:
        """Return the paths of a run's artifacts, at the top and one folder below."""
        with translate_errors(self.store):
            top = self.client.list_artifacts(run_id)
            below = [self.client.list_artifacts(run_id, it.path) for it in top if it.is_dir]
        return [item.path for items in (top, *below) for item in items if not item.is_dir]

    def delete(self, run_id: str) -> None:
        """Delete a run; MLflow keeps it, so that it can be restored."""
        with translate_errors(self.store):
            self.client.delete_run(run_id)

    def restore(self, run_id: str) -> None:
        """Restore a deleted run."""
        with translate_errors(self.store):
            self.client.restore_run(run_id)

    def models_of(self, run_id: str) -> list[str]:
        """Return the versions of registered models that come from a run, in words."""
        with translate_errors(self.store):
            found = self.client.search_model_versions(f"run_id = '{run_id}'")
        return [f"version {version.version} of {version.name}" for version in found]

    def remove_tags(self, run_id: str, names: Iterable[str]) -> None:
        """Remove tags of a run; those that it does not have are no error."""
        with translate_errors(self.store):
            present = self.client.get_run(run_id).data.tags
            for name in present.keys() & set(names):
                self.client.delete_tag(run_id, name)

    def page(self, trial: Trial) -> list[str]:
        """Return how to open the page of a run, as lines of text."""
        return links.lines(self.store, trial.experiment_id, trial.run_id)

    def address(self, trial: Trial) -> str | None:
        """Return the address of the page of a run, if it is known."""
        return links.run_address(self.store, trial.experiment_id, trial.run_id)

    @cached_property
    def _copies(self) -> Path:
        """The folder of the files that were fetched; it goes with this object."""
        folder = tempfile.mkdtemp(prefix="digit_exp-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def identity(name: str, config_hash: str) -> dict[str, str]:
    """Return the tags of a job of the sweep `name`, tracked or not."""
    return {Tag.KIND: "trial", Tag.SWEEP: name, Tag.CONFIG_HASH: config_hash}


def is_trial_of(name: str | None) -> str:
    """Return the condition, in MLflow's search language, that a run is a trial of this sweep.

    Without a name, of any sweep or of none: a run of this program that is no sweep's parent.
    """
    is_trial = f"tags.\"{Tag.KIND}\" = 'trial'"
    return is_trial if name is None else f"tags.\"{Tag.SWEEP}\" = '{name}' AND {is_trial}"


def trials(
    client: MlflowClient, experiment: str, name: str | None, condition: str | None = None
) -> list[Trial]:
    """Return the trials of a sweep, or of all, that meet the condition, the oldest first."""
    where = is_trial_of(name) + (f" AND {condition}" if condition else "")
    return list(search(client, [experiment], where))


def parents(client: MlflowClient, experiment: str, name: str) -> list[Run]:
    """Return the parents of a sweep, the oldest first; there should be one."""
    where = f"tags.\"{Tag.SWEEP}\" = '{name}' AND tags.\"{Tag.KIND}\" = 'sweep'"
    return list(_search(client, [experiment], where))


def mark_dead(client: MlflowClient) -> list[str]:
    """Set runs to KILLED whose process on this machine is gone, and return their ids.

    Covers every experiment, and is called at every start.
    """
    here = f"{RUNNING} AND tags.\"{Tag.HOST}\" = '{platform.node()}'"
    running = client.search_runs(_experiments(client), here, max_results=PAGE)
    dead = [run.info.run_id for run in running if ownership.is_gone(run.data.tags)]
    for run_id in dead:
        client.set_terminated(run_id, str(Status.KILLED))
        logger.info("the process of the run %s is gone; the run is set to KILLED", run_id)
    return dead


def trial_ids(store: Store) -> set[str] | None:
    """Return the ids of all runs of this program in a SQLite store; None if only MLflow can.

    Without MLflow, whose import takes a second or two.
    """
    if store.database is None:
        return None
    if not store.database.exists():
        return set()
    query = (
        "SELECT run_uuid FROM tags JOIN runs USING (run_uuid)"
        " WHERE key = ? AND tags.value = 'trial' AND lifecycle_stage = 'active'"
    )
    try:
        return {run_id for (run_id,) in rows(store.database, query, Tag.KIND)}
    except sqlite3.Error:  # locked, damaged, or another schema: MLflow reports it
        return None


def rows(database: Path, query: str, *values: str) -> list[Any]:
    """Return the rows that a query finds in a SQLite file, which stays as it is."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Trial]:
    """Go through the runs that meet a condition in MLflow's search language, the oldest first."""
    for run in _search(client, experiments, where):
        info, data = run.info, run.data
        yield Trial(
            info.run_id,
            info.status,
            data.tags,
            data.params,
            {name: value for name, value in data.metrics.items() if not name.startswith("system/")},
            name=info.run_name or "",
            experiment_id=str(info.experiment_id),
            started=(info.start_time or 0) / 1000,
        )


def _search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Run]:
    token: str | None = None
    order = ["attributes.start_time ASC"]
    while True:
        page = client.search_runs(
            list(experiments), where, max_results=PAGE, order_by=order, page_token=token
        )
        yield from page
        if not (token := page.token):
            return


def _experiments(client: MlflowClient) -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments()]
