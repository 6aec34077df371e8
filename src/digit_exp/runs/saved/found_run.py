"""A run that was found: its configuration, metrics and files, from its folder or from the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from digit_exp.analysis.predictions import Predictions, read_predictions
from digit_exp.arrays import Metrics
from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import differences, flat, read_yaml
from digit_exp.data.dataset import Dataset, Split
from digit_exp.data.idx import DataError
from digit_exp.data.sources import DataSource
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.npz import ArchiveError
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import RecordError, RunRecord
from digit_exp.tracking.mlflow.queries import RunStore, Trial
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint


class RunError(LookupError):
    """No such run, more than one, or one without a file that is needed."""


@dataclass(frozen=True)
class FoundRun:
    """A run in the store, in a folder, or in both."""

    run_id: str | None
    """In MLflow; None if it was not tracked."""
    name: str
    status: str
    started: datetime
    metrics: Mapping[str, float]
    """The summary: best_val_acc, best_epoch, test_acc, ...; from the store also the last epoch."""
    tags: Mapping[str, str]
    folder: Path | None = None
    """Its folder on this machine, if there is one."""
    trial: Trial | None = None
    """The run as the store has it."""
    store: RunStore | None = None
    checkpoint_file: Path | None = None
    """The checkpoint that the user named; without one, `network` is the tested network."""

    @property
    def label(self) -> str:
        """Its name and the beginning of its id, for messages."""
        return f"{self.name} ({self.run_id[:8]})" if self.run_id else self.name

    @property
    def sweep(self) -> str | None:
        """The name of its sweep, if it is a job of one."""
        return self.tags.get(Tag.SWEEP)

    @cached_property
    def config(self) -> Mapping[str, object]:
        """Every value by its key on the command line; not checked."""
        if (
            self.trial is not None
            and self.checkpoint_file is None
            and not self.is_here(paths.CONFIG)
        ):
            return self.trial.config
        return flat(self._written())

    @property
    def has_config(self) -> bool:
        """Whether its configuration is known; it may have been killed before writing it."""
        try:
            return bool(self.config)
        except (RunError, CheckpointError):
            return False

    @property
    def data_digest(self) -> str:
        """The digest of the data set that it was trained on; raises RunError if it is not known."""
        if (known := self.tags.get(Tag.DATA_DIGEST)) is not None:
            return known
        return str(self._memo()["data_digest"])

    def dataset(self) -> Dataset:
        """Return the data set that it was trained on.

        Raises RunError if the data are not there, or are others by now.
        """
        from digit_exp.runs.experiment import load_data  # slow to import

        digest = self.data_digest
        try:
            found = load_data(self.run_config().data)
        except DataError as error:
            needed = f"{self.label} needs data with the digest {digest}"
            raise RunError(f"{needed}, and its data cannot be read: {error}") from error
        if found.digest != digest:
            raise RunError(
                f"the data set has changed since {self.label} was trained: its digest was {digest}"
                f" and is {found.digest}"
            )
        return found

    def val_split(self) -> Split:
        """Return its validation images; raises what `dataset` does."""
        from digit_exp.runs.experiment import train_val_splits

        return train_val_splits(self.run_config(), self.dataset())[1]

    def here(self, *, ended: bool = False) -> tuple[Path, RunRecord]:
        """Return its folder and record; raises RunError if there is none, or it has not `ended`."""
        if self.folder is None:
            raise RunError(f"{self.label} has no folder here; use the command where it was run")
        record = record_of(self.folder)
        if ended and record.is_alive:
            raise RunError(f"{self.label} is still going on (process {record.pid}); wait for it")
        return self.folder, record

    @property
    def data(self) -> str:
        """The data set that it was trained on, and its folder if it is one's own."""
        try:
            name, folder = self.config.get("data"), self.config.get("data.dir")
        except (RunError, CheckpointError):
            return "an unknown data set"
        return f"{name or 'an unknown data set'}{f' in {folder}' if folder else ''}"

    def class_names(self, classes: int) -> list[str]:
        """Return what each class is called: by its name, or else by its number."""
        named: list[str] = json.loads(self.tags.get(Tag.CLASSES, "[]"))
        return named if len(named) == classes else [str(number) for number in range(classes)]

    @property
    def is_on_default_data(self) -> bool:
        """Whether its data set is that of the default configuration, however it was split."""
        try:
            changed = differences(self.run_config())
        except (RunError, CheckpointError, ConfigError):
            return False
        used = {f"data.{field.name}" for field in fields(DataSource)}
        return not any(key.split(".")[0] == "data" and key not in used for key in changed)

    def run_config(self) -> RunConfig:
        """Return the checked configuration; raises ConfigError if it is no longer valid."""
        values = self._written()
        if (trainer := values.get("trainer")) and trainer.get("threads", 1) is None:
            # as version 0.1 wrote it: any number of processes gave the result of one thread
            values = {**values, "trainer": {**trainer, "threads": 1}}
        return from_mapping(values)

    def history(self) -> Sequence[Metrics]:
        """Return the metrics of each epoch, from the checkpoint if its folder is here."""
        if self.trial is None or self.store is None or self.is_here(paths.LAST_CHECKPOINT):
            return self.checkpoint().state.history
        return self.store.history(self.trial, *self.metrics)

    def checkpoint(self) -> Checkpoint:
        """Return the last checkpoint, or the one that the user named."""
        return load_checkpoint(self.checkpoint_file or self.file(paths.LAST_CHECKPOINT))

    def model(self) -> Network | Learner:
        """Return what was tested, or what is in the checkpoint that the user named.

        Raises RunError if it is a model of another library that this program does not know.
        """
        checkpoint = self.checkpoint()
        found = checkpoint.network if self.checkpoint_file else checkpoint.outcome
        if isinstance(found, Network):
            return found
        try:
            config = self.run_config()
        except ConfigError as error:
            advice = "Give the command to the program that registers it: python FILE.py predict ..."
            raise RunError(f"{self.label} cannot be loaded: {error}. {advice}") from error
        learner = config.model.build(found.shape, found.classes, seed=config.seed)
        learner.restore(found.storage)
        return learner

    def network(self) -> Network:
        """Return the network of `model`; raises RunError if that is of another library."""
        found = self.model()
        if isinstance(found, Network):
            return found
        raise RunError(
            f"{self.label} is a {type(found).__name__}, a model of another library: it has no"
            " layers to draw and cannot be served or promoted; FoundRun.model() returns it"
        )

    def predictions(self) -> Predictions:
        """Return the predictions for the test set; raises RunError if there are none."""
        return self._predictions(paths.TEST_PREDICTIONS)

    def val_predictions(self) -> Predictions:
        """Return the predictions for the validation set; raises RunError if there are none."""
        return self._predictions(paths.VAL_PREDICTIONS)

    def _predictions(self, name: str) -> Predictions:
        file = self.file(Path(name))
        try:
            return read_predictions(file)
        except ArchiveError as error:
            raise RunError(f"cannot use {file}: {error}") from error

    def file(self, name: Path) -> Path:
        """Return a file of the run, downloaded from the store if it is not in the folder.

        Raises RunError if there is none, TrackingError if the store does not answer.
        """
        if self.folder is not None and self.is_here(name):
            return self.folder / name
        found = None
        if self.store is not None and self.run_id is not None:
            found = self.store.fetch(self.run_id, PurePosixPath(name))
        if found is None:
            raise RunError(f"the run {self.label}, {self.status.lower()}, has no {name}")
        return found

    def page(self) -> list[str]:
        """Return how to open its page in MLflow; nothing if it is not tracked."""
        return [] if self.store is None or self.trial is None else self.store.page(self.trial)

    def _written(self) -> dict[str, Any]:
        if self.folder is None and self.checkpoint_file is not None:
            return dict(self._memo()["run"])
        file = self.file(Path(paths.CONFIG))
        try:
            return read_yaml(file)
        except ConfigError as error:
            raise RunError(f"{self.label} has lost its configuration: {error}") from error

    def _memo(self) -> dict[str, Any]:
        """Return what the checkpoint records of its run."""
        memo = self.checkpoint().config
        if {"run", "data_digest"} <= memo.keys():
            return memo
        raise RunError(
            f"{self.label} is a network without the run that trained it: its configuration and data"
            " are not known. Give a run, or a checkpoint of one"
        )

    def is_here(self, name: str | Path) -> bool:
        """Tell whether its folder is here and has a file of that name."""
        return self.folder is not None and (self.folder / name).is_file()


def record_of(folder: Path) -> RunRecord:
    """Return the record of the run in a folder; raises RunError if there is none."""
    try:
        return RunRecord.read(folder)
    except RecordError as error:
        raise RunError(str(error)) from error


def in_folder(folder: Path, record: RunRecord) -> FoundRun:
    """Return the run of a folder."""
    reason = {} if record.reason is None else {Tag.STOP_REASON: record.reason}
    return FoundRun(
        run_id=record.run_id,
        name=record.name or record.run_id or folder.name,
        status="KILLED" if record.is_dead else record.status,
        started=datetime.fromisoformat(record.started).astimezone(UTC),
        metrics=record.summary,
        tags={**record.all_tags, **reason},
        folder=folder,
    )


def in_store(store: RunStore, trial: Trial, folder: Path | None) -> FoundRun:
    """Return a run of the store; one whose process is gone was killed."""
    is_dead = trial.status == "RUNNING" and not trial.is_running
    return FoundRun(
        run_id=trial.run_id,
        name=trial.name,
        status="KILLED" if is_dead else trial.status,
        started=datetime.fromtimestamp(trial.started, UTC),
        metrics=trial.metrics,
        tags=trial.tags,
        folder=folder,
        trial=trial,
        store=store,
    )
