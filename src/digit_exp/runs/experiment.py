"""The recipe of a run: load, split, build, train, evaluate once, draw, report.

`Experiment.prepare` does all that can fail because of what a person gave it, before a run is
opened anywhere. `run` does the work inside a tracked run.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digit_exp.analysis.predictions import Predictions
from digit_exp.atomic import write_text
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import resolved
from digit_exp.data.dataset import Dataset, Split
from digit_exp.nn.network import Network
from digit_exp.pruning.callback import PruneLosing
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs import summary as report
from digit_exp.runs.build import load, splits, untrained
from digit_exp.runs.disk_space import require_room
from digit_exp.runs.evaluate import calibration, read_split, read_test_set
from digit_exp.runs.failures import Losses, Tolerated
from digit_exp.runs.folder import (
    CHECKPOINT,
    DATA_DIGEST,
    DIFF,
    NETWORK,
    PREDICTIONS,
    SERVED,
    STOP_REASON,
    VAL_PREDICTIONS,
)
from digit_exp.runs.open_run import OpenRun, WriteEpochs
from digit_exp.runs.reuse.serving import write_served
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.entities import NOTE
from digit_exp.tracking.provenance import git_diff, provenance
from digit_exp.training.callbacks import (
    Callback,
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    StopOnNonFinite,
)
from digit_exp.training.checkpoint import Checkpoint, save_network
from digit_exp.training.progress import Progress
from digit_exp.training.state import TrainState
from digit_exp.training.threads import blas_threads
from digit_exp.training.trainer import Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    status: Status
    summary: dict[str, float] = field(default_factory=dict)
    """best_val_acc, best_epoch, test_acc, test_loss and the like, as far as they were measured."""
    stop_reason: str | None = None
    """Why training ended before the last epoch, if it did."""
    lost: list[str] = field(default_factory=list)
    """What could not be written, and why."""

    @property
    def is_failure(self) -> bool:
        """Whether training broke off for a reason that no resuming mends."""
        return self.status is Status.FAILED


@dataclass(frozen=True)
class Rivalry:
    """What a run of a sweep knows of the others."""

    number: int
    """Its own number, unlike that of any other."""
    histories: Callable[[], Mapping[int, Mapping[int, float]]]
    """Returns the monitored metric of the others by number and epoch."""


@dataclass(frozen=True)
class Experiment:
    """A run that can be started: configuration, data and network fit together."""

    config: RunConfig
    folder: Path
    dataset: Dataset
    train: Split
    val: Split
    network: Network
    start: TrainState | None
    """Where a resumed run goes on."""
    losses: Losses = field(default_factory=Losses)
    """What it could not write."""

    @classmethod
    def prepare(
        cls, config: RunConfig, folder: Path, checkpoint: Checkpoint | None = None
    ) -> Experiment:
        """Load and split the data and build the network, or take it from `checkpoint`.

        Raises ConfigError or DataError if they cannot be had.
        """
        dataset = load(config.data)
        train, val = splits(config, dataset)
        if checkpoint is None:
            network = untrained(config, dataset, train)
            require_room(folder, network)
            return cls(config, folder, dataset, train, val, network, None)
        if checkpoint.config["data_digest"] != dataset.digest:
            raise ConfigError(
                Problem("resume", f"the data set {dataset.name} is not the one the run began with")
            )
        network = checkpoint.state.network
        return cls(config, folder, dataset, train, val, network, checkpoint.state)

    @property
    def made_with(self) -> dict[str, str]:
        """The tags that say how to make the run again."""
        return {
            **provenance(self.config.seed),
            "data.name": self.dataset.name,
            DATA_DIGEST: self.dataset.digest,
            "threads": f"{self.config.trainer.threads}",
        }

    def run(
        self, run: OpenRun, interruption: Interruption, rivalry: Rivalry | None = None
    ) -> Result:
        """Train and evaluate, and leave everything that is worth keeping.

        In a sweep, `rivalry` tells what the other runs have come to, for the pruner.
        """
        report.announce(self)
        self._describe(run)
        started = time.perf_counter()
        trainer = self._trainer(self._callbacks(run, interruption, rivalry))
        with blas_threads(self.config.trainer.threads):
            state = trainer.fit(self.train, self.val, self.start)
            seconds = time.perf_counter() - started
            summary = {**report.best_epoch(self.config, state.history), "training_seconds": seconds}
            result = Result(_status(state), summary, state.stop_reason)
            predictions = None
            if result.status is Status.FINISHED:
                predictions, measured = read_test_set(self.network, self.dataset.test)
                summary |= measured
                summary |= self._validate()
        self._keep(run, result, state, predictions)
        result.lost.extend(self.losses.sentences())
        interruption.raise_if_asked()
        return result

    def _validate(self) -> dict[str, float]:
        """Keep the validation predictions; return their accuracy and calibration, if any."""
        measured: dict[str, float] = {}
        if len(self.val):
            val = read_split(self.network, self.val)
            measured["final_val_acc"] = float(val.is_right.mean())
            with self.losses.tolerated(VAL_PREDICTIONS, Exception):
                val.write(self.folder / VAL_PREDICTIONS)
            with self.losses.tolerated("the temperature", Exception):
                measured |= calibration(val)
        return measured

    def _trainer(self, callbacks: Sequence[Callback]) -> Trainer:
        config, settings = self.config, self.config.trainer
        return Trainer(
            self.network,
            config.optimizer,
            schedule=config.schedule,
            regularizer=config.regularization,
            augmentation=config.augmentation,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            eval_every=settings.eval_every,
            ema=settings.ema,
            seed=config.seed,
            threads=settings.threads,
            callbacks=callbacks,
        )

    def _callbacks(
        self, run: OpenRun, interruption: Interruption, rivalry: Rivalry | None
    ) -> list[Callback]:
        """Return the callbacks in the order in which they run.

        A checkpoint follows those whose memory it saves, and an epoch is written behind its
        checkpoint: one that was saved but not written is made good when the run resumes.
        """
        settings = self.config.trainer
        stopping, checkpoint = settings.early_stopping, settings.checkpoint.filename
        memo = self._memo(run)
        early_stopping = EarlyStopping(
            stopping.monitor.value,
            mode=stopping.mode.value,
            patience=stopping.patience,
            min_delta=stopping.min_delta,
            restore_best=stopping.restore_best,
        )
        steps = math.ceil(len(self.train) / settings.batch_size)
        return [
            interruption,
            StopOnNonFinite(),
            *([early_stopping] if stopping.enabled else []),
            *([self._pruning(rivalry)] if rivalry is not None else []),
            Tolerated(self._model_checkpoint(memo), self.losses, CHECKPOINT.parent / checkpoint),
            Tolerated(LastCheckpoint(self.folder / CHECKPOINT, memo), self.losses, CHECKPOINT),
            WriteEpochs(run, self.losses),
            Progress(settings.epochs, steps, log.info),
        ]

    def _model_checkpoint(self, memo: Mapping[str, Any]) -> ModelCheckpoint:
        settings = self.config.trainer.checkpoint
        return ModelCheckpoint(
            self.folder / CHECKPOINT.parent / settings.filename,
            monitor=settings.monitor.value,
            mode=settings.mode.value,
            save_best_only=settings.save_best_only,
            every=settings.every,
            keep=settings.keep,
            config=memo,
        )

    def _pruning(self, rivalry: Rivalry) -> PruneLosing:
        watch = report.monitored(self.config)
        return PruneLosing(
            self.config.pruner,
            rivalry.histories,
            number=rivalry.number,
            epochs=self.config.trainer.epochs,
            monitor=watch.monitor.value,
            mode=watch.mode.value,
        )

    def _memo(self, run: OpenRun) -> Mapping[str, Any]:
        """Return what a checkpoint must say, beside the state, for its run to be resumed."""
        return {
            "run_id": run.tracker.run_id,
            "data_digest": self.dataset.digest,
            "run": resolved(self.config),
        }

    def _describe(self, run: OpenRun) -> None:
        """Write what is known before the first step."""
        report.write_config(self.config, self.folder)
        data = self.dataset
        shapes = {
            context: [len(split), *split.images.shape[1:]]
            for context, split in (("train", data.train), ("test", data.test))
        }
        run.record.dataset = {"name": data.name, "digest": data.digest, **shapes}
        if self.start is None:
            write_text(self.folder / NETWORK, self.network.summary())
            if (diff := git_diff()) is not None:
                write_text(self.folder / DIFF, diff)
        run.save()

    def _keep(
        self, run: OpenRun, result: Result, state: TrainState, predictions: Predictions | None
    ) -> None:
        """Write the outcome: summary, checkpoints, predictions, figures."""
        record = run.record
        if state.stop_reason is not None or self.start is not None:  # which may have left another
            reason = state.stop_reason or "completed"
            record.tags |= {STOP_REASON: reason, **_pruned(state)}
        record.summary = result.summary
        record.tags |= {NOTE: report.note(self, result, state)}
        if state.stop_reason == "diverged":
            with self.losses.tolerated(str(report.FINITE), Exception):
                save_network(self.folder / report.FINITE, self.network)
        if predictions is not None:
            with self.losses.tolerated(PREDICTIONS, Exception):
                predictions.write(self.folder / PREDICTIONS)
            with self.losses.tolerated(SERVED, Exception):
                temperature = result.summary.get("temperature", 1.0)
                shape, file = self.dataset.image_shape, self.folder / SERVED
                write_served(file, self.network, shape, temperature)
        report.draw(self, state, predictions, self.losses)
        report.conclude(self, result, state)


def _status(state: TrainState) -> Status:
    reasons = {
        "diverged": Status.FAILED,
        "interrupted": Status.KILLED,
        "pruned": Status.KILLED,
    }
    return reasons.get(state.stop_reason or "", Status.FINISHED)


def _pruned(state: TrainState) -> dict[str, str]:
    """Return the tags of a run that was pruned: when, and what it should have reached."""
    memory = state.callback_memory.get(PruneLosing.__name__, {})
    return {f"pruned.{name}": f"{value:.6g}" for name, value in memory.items()}
