"""A sweep in MLflow: one parent run for each name, and its trials, found by tags.

The parent is found again when the sweep goes on, by whoever works on it. Trials are found by the
sweep's name, not by their parent: nothing is lost if a server was given two parents at once.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from digit_exp.arrays import Metrics
from digit_exp.registry import ConfigError, Problem
from digit_exp.tracking import owner
from digit_exp.tracking.connection import LOCK_SECONDS, connect, experiment_id, explained
from digit_exp.tracking.run import author
from digit_exp.tracking.store import Store, locate
from digit_exp.tracking.tracker import Status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from digit_exp.tracking.mlflow_tracker import MLflowTracker

KIND, SWEEP, CONFIG_HASH = "digit_exp.kind", "digit_exp.sweep", "digit_exp.config_hash"
PARENT = "mlflow.parentRunId"
PAGE = 1000  # runs a call
NAME = re.compile(r"[^'\"`\\\x00-\x1f]{1,200}")


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


@dataclass(frozen=True)
class Sweep:
    """One sweep in one experiment. `parent` writes notes, texts and files on the parent's page."""

    name: str
    client: MlflowClient
    store: Store
    experiment_id: str
    parent: MLflowTracker

    def identity(self, config_hash: str) -> dict[str, str]:
        """Return the tags that make a run a trial of this sweep, for `open_tracker(identity=)`."""
        return {PARENT: str(self.parent.run_id), **identity(self.name, config_hash)}

    def children(self) -> list[Trial]:
        """Return all trials, the oldest first."""
        with explained(self.store):
            return trials(self.client, self.experiment_id, self.name)

    def find(self, config_hash: str) -> Trial | None:
        """Return the trial of a configuration: the one that finished, else the latest one."""
        condition = f"tags.\"{CONFIG_HASH}\" = '{config_hash}'"
        with explained(self.store):
            found = trials(self.client, self.experiment_id, self.name, condition)
        finished = [trial for trial in found if trial.status == Status.FINISHED]
        return next(reversed(finished or found), None)

    def history(self, trial: Trial, *metrics: str) -> list[Metrics]:
        """Return these metrics of each epoch, with its number as `epoch`, as a trainer's history.

        A metric that was not measured in an epoch is left out of it.
        """
        with explained(self.store):
            return epochs_of(self.client, trial.run_id, metrics)

    def supersede(self, trial: Trial) -> None:
        """Take a trial out of the sweep, because its configuration is run anew. It stays a run."""
        with explained(self.store):
            self.client.set_tag(trial.run_id, KIND, "superseded")

    def mark_dead(self) -> list[Trial]:
        """Call those trials KILLED whose process on this machine died without a word."""
        running = "attributes.status = 'RUNNING'"
        with explained(self.store):
            found = trials(self.client, self.experiment_id, self.name, running)
            dead = [trial for trial in found if owner.is_gone(trial.tags)]
            for trial in dead:
                self.client.set_terminated(trial.run_id, str(Status.KILLED))
        return dead

    def end(self, status: Status) -> None:
        """Write on the parent how the sweep ended."""
        self.parent.status = status
        with explained(self.store):
            self.parent.end()


def open_sweep(
    name: str, *, uri: str | None = None, experiment: str = "digits", folder: Path | None = None
) -> Sweep:
    """Return the sweep `name`, whose parent is made if the experiment has none, and is RUNNING."""
    from digit_exp.tracking.mlflow_tracker import MLflowTracker

    if not NAME.fullmatch(name):
        raise ConfigError(
            Problem(
                "sweep.name",
                f"{name!r} must have 1 to 200 characters, without quotes and backslashes",
            )
        )
    store = locate(uri, folder or Path.cwd())
    client = connect(store)
    with explained(store), FileLock(_lock(store), timeout=LOCK_SECONDS):
        experiment = experiment_id(client, store, experiment)
        run_id = _parent(client, experiment, name)
    parent = MLflowTracker(client, run_id, store=store, experiment_id=experiment)
    return Sweep(name, client, store, experiment, parent)


def join_sweep(
    name: str, parent_id: str, *, uri: str | None = None, experiment: str = "digits"
) -> Sweep:
    """Return a sweep that another process has opened, for one of its jobs."""
    from digit_exp.tracking.mlflow_tracker import MLflowTracker

    store = locate(uri, Path.cwd())
    client = connect(store)
    with explained(store):
        number = experiment_id(client, store, experiment)
    parent = MLflowTracker(client, parent_id, store=store, experiment_id=number)
    return Sweep(name, client, store, number, parent)


def identity(name: str, config_hash: str) -> dict[str, str]:
    """Return the tags of a job of the sweep `name`, tracked or not."""
    return {KIND: "trial", SWEEP: name, CONFIG_HASH: config_hash}


def is_trial_of(name: str | None) -> str:
    """Return the condition, in MLflow's search language, that a run is a trial of this sweep.

    Without a name, of any sweep or of none: a run of this program that is no sweep's parent.
    """
    is_trial = f"tags.\"{KIND}\" = 'trial'"
    return is_trial if name is None else f"tags.\"{SWEEP}\" = '{name}' AND {is_trial}"


def trials(
    client: MlflowClient, experiment: str, name: str | None, condition: str | None = None
) -> list[Trial]:
    """Return the trials of a sweep, or of all, that meet the condition, the oldest first."""
    where = is_trial_of(name) + (f" AND {condition}" if condition else "")
    return list(search(client, [experiment], where))


def epochs_of(client: MlflowClient, run_id: str, metrics: Iterable[str]) -> list[Metrics]:
    """Return these metrics of each epoch; the numbers of the whole run stand at step 0."""
    epochs: dict[int, dict[str, float]] = {}
    for name in metrics:
        for point in client.get_metric_history(run_id, name):
            if point.step > 0:
                epochs.setdefault(point.step, {"epoch": point.step})[name] = point.value
    return [epochs[step] for step in sorted(epochs)]


def search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Trial]:
    """Go through the runs that meet a condition in MLflow's search language, the oldest first."""
    for run in _search(client, experiments, where):
        info, data = run.info, run.data
        yield Trial(
            info.run_id,
            info.status,
            data.tags,
            data.params,
            data.metrics,
            name=info.run_name or "",
            experiment_id=str(info.experiment_id),
            started=(info.start_time or 0) / 1000,
        )


def _parent(client: MlflowClient, experiment: str, name: str) -> str:
    """Return the run id of the parent, set RUNNING under this process."""
    from mlflow.entities import RunTag

    if not _parents(client, experiment, name):
        tags = {**author(), **owner.claim(), KIND: "sweep", SWEEP: name}
        client.create_run(experiment, tags=tags, run_name=name)
    # asked again, since another machine holds another lock: on a server the oldest one counts
    parent = _parents(client, experiment, name)[0].info.run_id
    client.update_run(parent, status="RUNNING")
    client.log_batch(parent, tags=[RunTag(key, text) for key, text in owner.claim().items()])
    return str(parent)


def _parents(client: MlflowClient, experiment: str, name: str) -> list[Run]:
    where = f"tags.\"{SWEEP}\" = '{name}' AND tags.\"{KIND}\" = 'sweep'"
    return list(_search(client, [experiment], where))


def _search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Run]:
    """Go through the runs that meet a condition, the oldest first, page by page."""
    token: str | None = None
    while True:
        page = client.search_runs(
            list(experiments),
            where,
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _lock(store: Store) -> Path:
    """Return the file that makes the processes of this machine agree on a parent."""
    if store.database:
        return store.database.with_name(f"{store.database.name}.lock")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    digest = hashlib.sha256(store.uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"digit_exp-{user}-{digest}.lock"
