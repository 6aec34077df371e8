"""A sweep in MLflow: one parent run for each name, and its trials, found by tags.

The parent is found again when the sweep is continued, on any machine. Results and checkpoints are
shared through the store alone.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from filelock import FileLock

from digit_exp.registry import ConfigError
from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.connect import LOCK_SECONDS, connect, experiment_id, translate_errors
from digit_exp.tracking.mlflow.queries import (
    RUNNING,
    SUPERSEDED,
    RunStore,
    Trial,
    identity,
    parents,
    trials,
)
from digit_exp.tracking.mlflow.sync.entities import TAG_LENGTH
from digit_exp.tracking.mlflow.sync.start_run import author
from digit_exp.tracking.mlflow.uri import Store, locate
from digit_exp.tracking.tags import Tag

if TYPE_CHECKING:
    from mlflow import MlflowClient


NAME = re.compile(r"[^'\"`\\\x00-\x1f]{1,200}")


@dataclass(frozen=True)
class RunMailbox:
    """Texts as artifacts of a run, in one folder."""

    client: MlflowClient
    store: Store
    run_id: str
    folder: str

    def put(self, name: str, text: str) -> None:
        with translate_errors(self.store):
            self.client.log_text(self.run_id, text, f"{self.folder}/{name}")

    def names(self) -> list[str]:
        with translate_errors(self.store):
            files = self.client.list_artifacts(self.run_id, self.folder)
        return [Path(file.path).name for file in files]

    def get(self, name: str) -> str:
        with translate_errors(self.store), tempfile.TemporaryDirectory() as folder:
            path = self.client.download_artifacts(self.run_id, f"{self.folder}/{name}", folder)
            return Path(path).read_text(encoding="utf-8")


class Sweep(RunStore):
    """One sweep in one experiment of a store, and its parent run."""

    def __init__(
        self, name: str, client: MlflowClient, store: Store, experiment_id: str, parent_id: str
    ) -> None:
        super().__init__(store, client)
        self.name, self.experiment_id, self.parent_id = name, experiment_id, parent_id

    def identity(self, config_hash: str) -> dict[str, str]:
        """Return the tags that make a run a trial of this sweep."""
        return {Tag.PARENT: self.parent_id, **identity(self.name, config_hash)}

    def mailbox(self, folder: str) -> RunMailbox:
        """Return a place for texts, in a folder of the parent's artifacts."""
        return RunMailbox(self.client, self.store, self.parent_id, folder)

    def children(self, condition: str | None = None) -> list[Trial]:
        """Return all trials, or those that meet a condition of MLflow's, the oldest first."""
        with translate_errors(self.store):
            return trials(self.client, self.experiment_id, self.name, condition)

    def failed(self) -> list[str]:
        """Return the hashes of the trials that have failed."""
        found = self.children(f"attributes.status = '{Status.FAILED}'")
        return [trial.tags[Tag.CONFIG_HASH] for trial in found]

    def find(self, config_hash: str) -> Trial | None:
        """Return the trial of a configuration: the one that finished, else the latest one."""
        return _that_counts(self._with(config_hash))

    def by_hash(self) -> dict[str, Trial]:
        """Return what `find` does for each configuration that there is."""
        found: dict[str, list[Trial]] = {}
        for trial in self.children():
            found.setdefault(trial.tags[Tag.CONFIG_HASH], []).append(trial)
        counting = {config_hash: _that_counts(some) for config_hash, some in found.items()}
        return {key: trial for key, trial in counting.items() if trial is not None}

    def is_taken(self, config_hash: str, run_id: str | None) -> bool:
        """Tell whether another process has begun the same job earlier: the older run counts."""
        running = [trial for trial in self._with(config_hash) if trial.is_running]
        return bool(running) and running[0].run_id != run_id

    def _with(self, config_hash: str) -> list[Trial]:
        return self.children(f"tags.\"{Tag.CONFIG_HASH}\" = '{config_hash}'")

    def supersede(self, trial: Trial) -> None:
        """Take a trial out of the sweep, because its configuration is run anew. It stays a run."""
        with translate_errors(self.store):
            self.client.set_tag(trial.run_id, Tag.KIND, SUPERSEDED)

    def mark_dead(self, *, and_own: bool = False) -> list[Trial]:
        """Set trials to KILLED whose process is dead, on whatever machine; see `ownership`.

        With `and_own` those of this process too: a signal may end a job while its run is opened.
        """
        dead = [
            trial
            for trial in self.children(RUNNING)
            if not trial.is_running or (and_own and ownership.is_own(trial.tags))
        ]
        with translate_errors(self.store):
            for trial in dead:
                self.client.set_terminated(trial.run_id, str(Status.KILLED))
        return dead

    def publish(
        self,
        files: Mapping[str, Path],
        note: str,
        winner: str = "",
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Keep files on the parent's page, by their paths there, and a note that it shows.

        Its row in tables gets the name and the metrics of the winner.
        """
        from mlflow.entities import Metric, RunTag

        now = time.time_ns() // 1_000_000
        points = [Metric(name, value, now, 0) for name, value in (metrics or {}).items()]
        with translate_errors(self.store):
            tags = [RunTag(Tag.WINNER, winner[:TAG_LENGTH])] if winner else []
            self.client.log_batch(self.parent_id, metrics=points, tags=tags)
            for name, file in files.items():
                folder = str(PurePosixPath(name).parent)
                self.client.log_artifact(
                    self.parent_id, str(file), None if folder == "." else folder
                )
            self.client.set_tag(self.parent_id, Tag.NOTE, note[:TAG_LENGTH])

    def end(self, status: Status) -> None:
        """Write on the parent how the sweep ended."""
        with translate_errors(self.store):
            self.client.set_terminated(self.parent_id, str(status))


def open_sweep(
    name: str, *, uri: str | None = None, experiment: str = "digits", folder: Path | None = None
) -> Sweep:
    """Return the sweep `name`, whose parent is made if the experiment has none, and is RUNNING."""
    if not NAME.fullmatch(name):
        raise ConfigError.at(
            "sweep.name", f"{name!r} must have 1 to 200 characters, without quotes and backslashes"
        )
    store = locate(uri, folder or Path.cwd())
    client = connect(store)
    with translate_errors(store), FileLock(_lock(store), timeout=LOCK_SECONDS):
        experiment = experiment_id(client, store, experiment)
        run_id = _parent(client, experiment, name)
    return Sweep(name, client, store, experiment, run_id)


def find_sweep(name: str, *, uri: str | None = None, experiment: str = "digits") -> Sweep | None:
    """Return the sweep `name` if the store has it. Nothing is created."""
    store = locate(uri, Path.cwd())
    if store.database is not None and not store.database.exists():
        return None
    client = connect(store)
    with translate_errors(store):
        found = client.get_experiment_by_name(experiment)
        known = [] if found is None else parents(client, found.experiment_id, name)
    if found is None or not known:
        return None
    return Sweep(name, client, store, str(found.experiment_id), known[0].info.run_id)


def join_sweep(
    name: str, parent_id: str, *, uri: str | None = None, experiment: str = "digits"
) -> Sweep:
    """Return a sweep that another process has opened, for one of its jobs."""
    store = locate(uri, Path.cwd())
    client = connect(store)
    with translate_errors(store):
        number = experiment_id(client, store, experiment)
    return Sweep(name, client, store, number, parent_id)


def _parent(client: MlflowClient, experiment: str, name: str) -> str:
    """Return the run id of the parent, set RUNNING under this process."""
    from mlflow.entities import RunTag

    if not parents(client, experiment, name):
        tags = {**author(), **ownership.claim(), Tag.KIND: "sweep", Tag.SWEEP: name}
        client.create_run(experiment, tags=tags, run_name=name)
    # asked again, since another machine holds another lock: on a server the oldest one counts
    parent = parents(client, experiment, name)[0].info.run_id
    # claimed first: RUNNING under an owner who is dead, it would be called KILLED
    client.log_batch(parent, tags=[RunTag(key, text) for key, text in ownership.claim().items()])
    client.update_run(parent, status="RUNNING")
    return str(parent)


def _that_counts(found: Sequence[Trial]) -> Trial | None:
    finished = [trial for trial in found if trial.status == Status.FINISHED]
    return next(reversed(finished or found), None)


def _lock(store: Store) -> Path:
    """Return the file that makes the processes of this machine agree on a parent."""
    if store.database:
        return store.database.with_name(f"{store.database.name}.lock")
    digest = hashlib.sha256(store.uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"digit_exp-{author()['mlflow.user']}-{digest}.lock"
