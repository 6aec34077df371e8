"""The results of a sweep: its jobs, read from the store or from their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from digit_exp.analysis.results import JobResult
from digit_exp.config.parse import from_mapping
from digit_exp.config.serialize import flatten, read_yaml
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_epochs
from digit_exp.runs.folder import display_status, record_in
from digit_exp.runs.reuse.found_run import value_of
from digit_exp.sweeps.identity import is_config_hash
from digit_exp.tracking.mlflow.links import lines
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.mlflow.sweep_runs import Sweep
from digit_exp.tracking.tags import Tag

CURVES = ("train_loss", "train_acc", "val_loss", "val_acc")


def results_in_store(sweep: Sweep, folder: Path) -> list[JobResult]:
    """Return every job of a tracked sweep, run by any process on any machine.

    Curves and predictions, which the report needs of a few jobs, are fetched when asked for.
    """
    return [_from_trial(sweep, trial, folder) for trial in sweep.children() if trial.params]


def results_in_folders(folder: Path) -> list[JobResult]:
    """Return every job of a sweep that is not tracked."""
    return list(_from_folders(folder))


def _from_trial(sweep: Sweep, trial: Trial, folder: Path) -> JobResult:
    reason = trial.tags.get(Tag.STOP_REASON)
    place = folder / trial.tags[Tag.CONFIG_HASH]
    return JobResult(
        number=int(trial.tags.get(Tag.JOB, 0)),
        run_id=trial.run_id,
        status=display_status(trial.status, reason),
        config={key: value_of(text) for key, text in trial.params.items()},
        metrics=trial.metrics,
        history=lambda: sweep.history(trial, *CURVES),
        folder=place if place.is_dir() else None,
        page=lines(sweep.store, trial.experiment_id, trial.run_id)[-1],
        reason=_why(reason, trial.tags),
        predictions=lambda: (
            _existing(place / paths.VAL_PREDICTIONS)
            or sweep.fetch(trial, paths.VAL_PREDICTIONS, place)
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
    for number, place in enumerate(job_folders(folder)):
        record, config = record_in(place), _config(place)
        if record is None or config is None:
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
