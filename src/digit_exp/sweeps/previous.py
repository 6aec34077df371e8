"""What earlier commands left of a job: whether it is over, is being run, or can be resumed.

A tracked sweep asks the store, which all its processes share; the folder only saves a download. An
untracked one asks the folder.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from digit_exp.runs import paths
from digit_exp.runs.folder import FINAL_REASONS, is_complete, record_in
from digit_exp.tracking import ownership
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.mlflow.sweep_runs import Sweep
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_for_resuming


@dataclass(frozen=True)
class PreviousRun:
    """One job, as earlier commands left it."""

    is_over: bool = False
    summary: Mapping[str, float] = field(default_factory=dict)
    """Its results; empty if it diverged."""
    is_here: bool = True
    """Whether it was run in this folder."""
    runner: str | None = None
    """The process that runs it now."""
    trial: Trial | None = None


def previous_in_folder(folder: Path) -> PreviousRun:
    """Return what the record in `folder` says."""
    record = record_in(folder)
    if record is None or not record.is_over:
        return PreviousRun()
    return PreviousRun(is_over=True, summary={} if record.reason == "diverged" else record.summary)


def previous_trial(trial: Trial | None, folder: Path) -> PreviousRun:
    """Return what a trial of the store says, if there is one."""
    if trial is None:
        return PreviousRun()
    record, reason = record_in(folder), trial.tags.get(Tag.STOP_REASON)
    return PreviousRun(
        is_over=is_complete(trial.status, trial.metrics) or reason in FINAL_REASONS,
        summary={} if reason == "diverged" else trial.metrics,
        is_here=record is not None and record.run_id == trial.run_id,
        runner=ownership.described(trial.tags) if trial.is_running else None,
        trial=trial,
    )


def checkpoint_in_folder(folder: Path) -> Checkpoint | None:
    """Return where an interrupted or failed run in this folder can go on, if it can."""
    try:
        found = load_for_resuming(folder / paths.LAST_CHECKPOINT)
    except CheckpointError:
        return None
    return found if "run_id" in found.config else None  # else it is a network without a run


def checkpoint_of(earlier: PreviousRun, sweep: Sweep | None, folder: Path) -> Checkpoint | None:
    """Return where an interrupted or failed job can go on, if it can.

    That is the folder's checkpoint, or the store's if that is ahead. The store's is then copied to
    the folder, with those that were kept beside it.
    """
    if sweep is None:
        return checkpoint_in_folder(folder)
    if (trial := earlier.trial) is None:
        return None
    local = checkpoint_in_folder(folder)
    if local is not None and local.config["run_id"] != trial.run_id:
        local = None
    with tempfile.TemporaryDirectory(dir=folder) as place:
        found = sweep.fetch(trial.run_id, paths.LAST_CHECKPOINT.parent, Path(place))
        stored = None if found is None else checkpoint_in_folder(Path(place))
        if stored is None or (local is not None and local.state.epoch >= stored.state.epoch):
            return local
        shutil.copytree(
            Path(place) / paths.LAST_CHECKPOINT.parent,
            folder / paths.LAST_CHECKPOINT.parent,
            dirs_exist_ok=True,
        )
    return stored
