"""Which run in MLflow is that of a folder: a new one, an interrupted one, or a copy elsewhere."""

from __future__ import annotations

import getpass
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.tracking import ownership
from digit_exp.tracking.base import RunContents, Status, Tracker, TrackingError
from digit_exp.tracking.mlflow.connect import (
    connect,
    experiment_id,
    short_timeout,
    translate_errors,
)
from digit_exp.tracking.mlflow.queries import mark_dead
from digit_exp.tracking.mlflow.sync.entities import TAG_LENGTH
from digit_exp.tracking.mlflow.sync.entities import tags as tags_of
from digit_exp.tracking.mlflow.sync.mlflow_tracker import MLflowTracker
from digit_exp.tracking.mlflow.sync.update_run import Synchronizer
from digit_exp.tracking.mlflow.uri import Store, locate
from digit_exp.tracking.tags import Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PATIENCE = 45.0
"""Seconds without progress after which a run that has ended stops sending."""

HURRY = 5.0
"""The same after Ctrl-C."""


def open_tracker(
    backend: str,
    contents: RunContents,
    *,
    uri: str | None = None,
    experiment: str = "digits",
    folder: Path | None = None,
    keeps_checkpoints: bool = False,
    every: float | None = None,
) -> Tracker:
    """Return the tracker of a new run or, if it has a `run_id`, of a resumed one.

    It is RUNNING in MLflow then, with its tags, and is sent from `Tracker.follow` on. `folder` is
    where the command was started.
    """
    if backend == "none":
        return Tracker()
    store = locate(uri, folder or Path.cwd())
    client = connect(store)
    with translate_errors(store), short_timeout():
        mark_dead(client)
        if contents.run_id is None:
            run = _create(client, experiment_id(client, store, experiment), contents)
        else:
            run = _reopen(client, store, contents.run_id, contents)
    sync = _synchronizer(client, run, contents)
    return MLflowTracker(sync, store, keeps_checkpoints=keeps_checkpoints, every=every)


def sync_run(
    contents: RunContents, *, uri: str | None = None, experiment: str = "digits"
) -> MLflowTracker:
    """Send a run that is over, in any store: as the run, or as its copy there.

    It is sent until the tracker is closed.
    """
    store = locate(uri, Path.cwd())
    client = connect(store)
    with translate_errors(store), short_timeout():
        run = _find(client, contents)
        if run is None or run.info.run_id != contents.run_id:
            tags = {name: text for name, text in contents.tags.items() if name != Tag.PARENT}
            contents = replace(contents, tags={**tags, Tag.COPY_OF: _identity(contents)})
        if run is None:
            run = _create(client, experiment_id(client, store, experiment), contents)
        if run.info.lifecycle_stage == "deleted":
            raise TrackingError(f"the MLflow run {run.info.run_id} was deleted; restore it to sync")
    tracker = MLflowTracker(_synchronizer(client, run, contents), store)
    tracker.follow(lambda: contents)
    return tracker


def author() -> dict[str, str]:
    """Return the tags that say who started a run, and with what."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return {
        "mlflow.user": user,
        "mlflow.source.name": "digit_exp",
        "mlflow.source.type": "LOCAL",
    }


def _synchronizer(client: MlflowClient, run: Run, contents: RunContents) -> Synchronizer:
    return Synchronizer(client, str(run.info.run_id), str(run.info.experiment_id), contents.folder)


def _create(client: MlflowClient, experiment: str, contents: RunContents) -> Run:
    tags = {**author(), **ownership.beat(), Tag.KIND: "trial", **_tags(contents)}
    return client.create_run(experiment, contents.started, tags, contents.name)


def _tags(contents: RunContents) -> dict[str, str]:
    """Return the tags that a run has at once; one that is too long follows with its file."""
    found = tags_of(contents, {})
    return {name: text for name, text in found.items() if len(text) <= TAG_LENGTH}


def _find(client: MlflowClient, contents: RunContents) -> Run | None:
    """Return the run of a folder, or else its copy."""
    from mlflow.exceptions import MlflowException

    if contents.run_id is not None:
        try:
            return client.get_run(contents.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    where = f"tags.\"{Tag.COPY_OF}\" = '{_identity(contents)}'"
    found = client.search_runs(experiments, where, max_results=1)
    return found[0] if found else None


def _identity(contents: RunContents) -> str:
    """Return a unique text: the id of the run, or a digest if it was not tracked."""
    if contents.run_id is not None:
        return contents.run_id
    return hashlib.sha256(f"{contents.name} {contents.started}".encode()).hexdigest()[:32]


def _reopen(client: MlflowClient, store: Store, run_id: str, contents: RunContents) -> Run:
    """Set an ended run RUNNING again."""
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise TrackingError(
            f"the MLflow store {store.address} has no run {run_id!r}. Resume in the folder and"
            " with the tracking.uri of the interrupted run, or without tracking: tracking=none"
        ) from error
    if run.info.lifecycle_stage == "deleted":
        raise TrackingError(f"the MLflow run {run_id} was deleted; restore it to resume it")
    if run.info.status == "RUNNING" and ownership.is_another(run.data.tags):
        raise TrackingError(
            f"the MLflow run {run_id} is still running, as {ownership.described(run.data.tags)}."
            " Wait for it or stop it"
        )
    # claimed before it is RUNNING: else another start would find it RUNNING and its owner dead
    own = {**_tags(contents), **ownership.beat()}
    client.log_batch(run_id, tags=[RunTag(name, text) for name, text in own.items()])
    client.update_run(run_id, status=str(Status.RUNNING))
    return run
