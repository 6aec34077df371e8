"""The callbacks of a run, in the order in which the trainer calls them."""

import logging
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from digit_exp.colour import GREEN
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import resolved
from digit_exp.pruning.callback import PruneLosing
from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun, WriteEpochs
from digit_exp.runs.experiment import EPOCHS, Experiment, PruningContext
from digit_exp.runs.failures import BestEffort
from digit_exp.runs.results.summary import monitor_of
from digit_exp.runs.signals import Interruption
from digit_exp.training.callbacks import (
    Callback,
    Deadline,
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    StopAfter,
    StopOnNonFinite,
    TimeBudget,
)
from digit_exp.training.progress import Progress

log = logging.getLogger(__name__)


def callbacks_of(
    experiment: Experiment,
    run: ActiveRun,
    interruption: Interruption,
    pruning: PruningContext | None = None,
) -> list[Callback]:
    """Return the callbacks of a run; `pruning` is given for a job of a sweep.

    A checkpoint comes after the callbacks whose state it saves. An epoch is written after its
    checkpoint: one that was saved but not written is written when the run is resumed.
    """
    settings = experiment.config.trainer
    steps = math.ceil(len(experiment.train) / settings.batch_size)
    return [
        interruption,
        StopOnNonFinite(),
        *([_early_stopping(experiment.config)] if settings.early_stopping.enabled else []),
        *([] if pruning is None else [_pruning(experiment, pruning)]),
        *_checkpoints(experiment, run),
        WriteEpochs(run, experiment.write_failures),
        *_budgets(experiment, pruning),
        Progress(experiment.epochs, steps, log.info, partial(log.info, extra={"colour": GREEN})),
    ]


def _budgets(experiment: Experiment, pruning: PruningContext | None) -> Iterator[Callback]:
    settings = experiment.config.trainer
    if experiment.last_epoch is not None:
        yield StopAfter(experiment.last_epoch)
    if settings.minutes is not None:
        yield TimeBudget(60 * settings.minutes, experiment.epochs)
    if pruning is not None and pruning.deadline is not None:
        yield Deadline(pruning.deadline)


def _early_stopping(config: RunConfig) -> EarlyStopping:
    settings = config.trainer.early_stopping
    return EarlyStopping(
        settings.monitor.value,
        mode=settings.mode.value,
        patience=settings.patience,
        min_delta=settings.min_delta,
        restore_best=settings.restore_best,
    )


def _pruning(experiment: Experiment, context: PruningContext) -> PruneLosing:
    watched = monitor_of(experiment.config)
    return PruneLosing(
        experiment.config.pruner,
        context.histories,
        number=context.number,
        epochs=experiment.epochs,
        monitor=watched.monitor.value,
        mode=watched.mode.value,
    )


def _checkpoints(experiment: Experiment, run: ActiveRun) -> list[Callback]:
    settings, folder = experiment.config.trainer.checkpoint, experiment.folder
    failures = experiment.write_failures
    # what a checkpoint needs, besides the state, for its run to be resumed
    metadata: Mapping[str, Any] = {
        "run_id": run.tracker.run_id,
        "data_digest": experiment.dataset.digest,
        "run": resolved(experiment.config),
        EPOCHS: experiment.epochs,
    }
    best = paths.LAST_CHECKPOINT.parent / settings.filename
    kept = ModelCheckpoint(
        folder / best,
        monitor=settings.monitor.value,
        mode=settings.mode.value,
        save_best_only=settings.save_best_only,
        every=settings.every,
        keep=settings.keep,
        config=metadata,
    )
    last = LastCheckpoint(folder / paths.LAST_CHECKPOINT, metadata)
    return [BestEffort(kept, failures, best), BestEffort(last, failures, paths.LAST_CHECKPOINT)]
