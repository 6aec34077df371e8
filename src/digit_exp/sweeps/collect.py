"""The results of a sweep's jobs, from the store or from their folders.

The report and a race need the jobs that have ended, a pruner the metrics of those that run.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from digit_exp.analysis.job_result import JobResult
from digit_exp.config.parse import from_mapping
from digit_exp.config.serialize import flatten, read_yaml
from digit_exp.pruning.pruners import by_epoch, number_of
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_epochs
from digit_exp.runs.folder import display_status, record_in
from digit_exp.sweeps.identity import is_config_hash
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.links import run_address
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.mlflow.sweep_runs import Sweep
from digit_exp.tracking.tags import Tag

log = logging.getLogger(__name__)

CURVES = ("train_loss", "train_acc", "val_loss", "val_acc")
PAUSE = 300.0
"""Seconds. A store that does not answer holds up the training that asks it."""

Histories = Mapping[int, Mapping[int, float]]
"""A metric by the number of a job's hash and by epoch."""


def results_of(sweep: Sweep | None, folder: Path) -> list[JobResult]:
    """Return every job of a sweep, if it is tracked those of any process on any machine.

    Curves and predictions, which the report needs of a few jobs, are fetched when asked for.
    """
    if sweep is None:
        return list(_from_folders(folder))
    return [_from_trial(sweep, trial, folder) for trial in sweep.children() if trial.params]


def _from_trial(sweep: Sweep, trial: Trial, folder: Path) -> JobResult:
    reason = trial.tags.get(Tag.STOP_REASON)
    place = folder / trial.tags[Tag.CONFIG_HASH]
    return JobResult(
        number=int(trial.tags.get(Tag.JOB, 0)),
        run_id=trial.run_id,
        status=display_status(trial.status, reason),
        config=trial.config,
        metrics=trial.metrics,
        history=lambda: sweep.history(trial, *CURVES),
        folder=place if place.is_dir() else None,
        page=run_address(sweep.store, trial.experiment_id, trial.run_id),
        reason=_why(reason, trial.tags),
        predictions=lambda: (
            _existing(place / paths.VAL_PREDICTIONS)
            or sweep.fetch(trial.run_id, Path(paths.VAL_PREDICTIONS), place)
        ),
    )


def _existing(file: Path) -> Path | None:
    return file if file.is_file() else None


def _why(reason: str | None, tags: Mapping[str, str]) -> str | None:
    """Return why a run failed, or which value a pruned one missed at which epoch."""
    if reason != "pruned":
        return reason or tags.get(Tag.ERROR)
    return f"below {tags['pruned.threshold']} at epoch {tags['pruned.epoch']}"


def _from_folders(folder: Path) -> Iterator[JobResult]:
    found = [(record, place) for place in job_folders(folder) if (record := record_in(place))]
    found.sort(key=lambda pair: pair[0].started)
    for number, (record, place) in enumerate(found):
        if (config := _config(place)) is None:
            continue
        yield JobResult(
            number=number,
            run_id=record.run_id,
            status=display_status(record.status, record.reason),
            config=config,
            metrics=record.summary,
            history=partial(folder_history, place),
            folder=place,
            reason=record.reason,
            predictions=partial(_existing, place / paths.VAL_PREDICTIONS),
        )


def job_folders(folder: Path) -> list[Path]:
    """Return the folders of the jobs of a sweep; a copy of one has another name than a hash."""
    return sorted(place for place in folder.glob("*") if is_config_hash(place.name))


def _config(place: Path) -> dict[str, object] | None:
    try:
        return flatten(from_mapping(read_yaml(place / paths.CONFIG)))
    except ConfigError:
        return None


def folder_history(folder: Path) -> list[dict[str, float]]:
    """Return the metrics of each epoch, as a trainer's history."""
    return [{"epoch": epoch.number, **epoch.metrics} for epoch in read_epochs(folder)]


class PeerHistories:
    """Looks up one metric of every job: in the store, or in folders if nothing is tracked.

    There are none while the store does not answer; it is asked again after a `pause` in seconds.
    """

    def __init__(
        self, sweep: Sweep | None, folder: Path, metric: str, *, pause: float = PAUSE
    ) -> None:
        self._sweep = sweep
        self._folder = folder
        self._metric = metric
        self._pause = pause
        self._failed = -math.inf

    def __call__(self) -> Histories:
        if self._sweep is None:
            return {
                number_of(place.name): by_epoch(folder_history(place), self._metric)
                for place in job_folders(self._folder)
            }
        if time.monotonic() - self._failed < self._pause:
            return {}
        try:
            return {
                number_of(trial.tags[Tag.CONFIG_HASH]): by_epoch(
                    self._sweep.history(trial, self._metric), self._metric
                )
                for trial in self._sweep.children()
            }
        except TrackingError as error:
            self._failed = time.monotonic()
            log.warning("no job is pruned until the store answers: %s", error)
            return {}
