"""The life of a tracked run: opened, or opened again, and closed with the truth about its end."""

from __future__ import annotations

import getpass
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status, Tracker, TrackingError
from digit_exp.tracking.mlflow.dead_runs import mark_dead
from digit_exp.tracking.mlflow.sender import PATIENCE
from digit_exp.tracking.mlflow.spool import Spool
from digit_exp.tracking.mlflow.uri import Store, locate

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker
    from digit_exp.tracking.mlflow.spooled import SpooledTracker

logger = logging.getLogger(__name__)

ERROR = "digit_exp.error"
"""The tag that says why a run has FAILED; the whole traceback is an artifact."""
ERROR_LENGTH = 500

HURRY = 5.0
"""Seconds of patience with the store for somebody who has pressed Ctrl-C."""


@contextmanager
def open_tracker(
    backend: str,
    *,
    uri: str | None = None,
    experiment: str = "digits",
    tags: Mapping[str, str] | None = None,
    run_name: str | None = None,
    run_id: str | None = None,
    identity: Mapping[str, str] | None = None,
    folder: Path | None = None,
    spool: Path | None = None,
) -> Iterator[Tracker]:
    """Track what happens in the `with` block: in a new run, or in the interrupted run `run_id`.

    `identity` are tags that the run must never be without, however early it dies: its sweep.
    `spool` is the file that keeps what the store does not take; without one it is lost at the end.

    The run ends as KILLED on Ctrl-C, as FAILED with its traceback on any other exception, and
    otherwise as `tracker.status` says. The exception goes on.
    """
    if backend == "none":
        yield Tracker()
        return
    store = locate(uri, folder or Path.cwd())
    from digit_exp.tracking.mlflow.spooled import SpooledTracker

    target = _open(store, experiment, run_name, run_id, identity or {})
    tracker = SpooledTracker(target, Spool(spool))
    try:
        if tags:
            tracker.set_tags(tags)
        yield tracker
    except BaseException as error:
        _end_after(error, tracker)
        raise
    tracker.end()
    _wait(tracker)


def send_unsent(
    run_id: str, spool: Path, *, uri: str | None, experiment: str, folder: Path | None = None
) -> tuple[int, list[str]]:
    """Send what the store has not got of a run that is over.

    Returns how many entries it still lacks, and where the run can be looked at.
    """
    from digit_exp.tracking.mlflow.connect import connect, experiment_id, explained, hurried
    from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker
    from digit_exp.tracking.mlflow.spooled import SpooledTracker

    store = locate(uri, folder or Path.cwd())
    client = connect(store)
    with explained(store), hurried():
        parent = experiment_id(client, store, experiment)
        target = MLflowTracker(client, run_id, store=store, experiment_id=parent)
        target.recall()
    tracker = SpooledTracker(target, Spool(spool), goes_on=False)
    _wait(tracker)
    return len(Spool(spool)), tracker.where()


def _open(
    store: Store,
    experiment: str,
    run_name: str | None,
    run_id: str | None,
    identity: Mapping[str, str],
) -> MLflowTracker:
    from digit_exp.tracking.mlflow.connect import connect, experiment_id, explained, hurried
    from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker

    client = connect(store)
    with explained(store), hurried():
        mark_dead(client)
        if run_id is None:
            parent = experiment_id(client, store, experiment)
            tags = {**author(), **ownership.claim(), "digit_exp.kind": "trial", **identity}
            run = client.create_run(parent, tags=tags, run_name=run_name)
            return MLflowTracker(client, run.info.run_id, store=store, experiment_id=parent)
        parent = _reopen(client, store, run_id, identity)
        tracker = MLflowTracker(client, run_id, store=store, experiment_id=parent)
        tracker.recall()
        return tracker


def _reopen(client: MlflowClient, store: Store, run_id: str, identity: Mapping[str, str]) -> str:
    """Set an ended run RUNNING again and return its experiment's id."""
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
    own = {**ownership.claim(), **identity}
    client.log_batch(run_id, tags=[RunTag(name, text) for name, text in own.items()])
    client.update_run(run_id, status="RUNNING")
    return str(run.info.experiment_id)


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


def _end_after(error: BaseException, tracker: SpooledTracker) -> None:
    """Close the run after an exception, which a second one must not hide."""
    killed = isinstance(error, KeyboardInterrupt)
    tracker.status = Status.KILLED if killed else Status.FAILED
    tracker.end()  # first: a full disk still takes a word, but perhaps no file
    if not killed:
        reason = shorten(str(error), ERROR_LENGTH) or type(error).__name__
        tracker.set_tags({ERROR: reason})
        text = "".join(traceback.format_exception(error))
        tracker.log_text(text, "traceback.txt")
    _wait(tracker, HURRY if killed else PATIENCE)


def _wait(tracker: SpooledTracker, patience: float = PATIENCE) -> None:
    """Wait until the store has everything, and say so if it has not."""
    if left := tracker.close(patience):
        logger.warning(
            "MLflow lacks %d entries of the run %s (%s): %s",
            left,
            tracker.run_id,
            tracker.reason or "it does not answer",
            f"they are kept in {tracker.file}, and `python -m digit_exp resume={tracker.run_id}`"
            " sends them"
            if tracker.file
            else "they are lost to it, since they could not be kept either",
        )
