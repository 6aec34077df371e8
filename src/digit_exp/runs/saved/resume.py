"""Resuming: the checkpoint that `resume=...` names, and whether its run may continue."""

from pathlib import Path

from digit_exp.config.overrides import override, typed
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import record_in, records_below, relative_to_cwd
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import MAX_LISTED, OUTPUTS, Runs
from digit_exp.runs.saved.manage.sync import sync, unsent
from digit_exp.training.callbacks import OUT_OF_TIME


def find_checkpoint(resume: str, outputs: Path = OUTPUTS) -> Path:
    """Return the checkpoint for "latest", a run's id, name or folder, or a checkpoint file.

    Raises ConfigError if there is none, or if its run has ended or is still running.
    """
    checkpoint = (
        Path(resume) if Path(resume).is_file() else _folder(resume, outputs) / paths.LAST_CHECKPOINT
    )
    if not checkpoint.is_file():
        raise _refusal(f"{checkpoint.parent.parent} has no checkpoint to resume from")
    folder = run_folder(checkpoint)
    if folder is None or (record := record_in(folder)) is None:
        return checkpoint
    name = record.run_id or resume
    if record.is_over and record.reason != OUT_OF_TIME:
        how = "finished" if record.status == "FINISHED" else record.reason
        sentence = f"the run {name} is {how}; there is nothing to resume"
        raise _refusal(f"{sentence}. {_others(outputs)}")
    if record.is_alive:
        raise _refusal(f"the run {name} is still running (process {record.pid})")
    return checkpoint


def unsent_folder(resume: str) -> Path | None:
    """Return the folder of a run that has ended, but is not completely in the store."""
    is_file = Path(resume).is_file()  # may come from anywhere: not opened here
    folder = run_folder(Path(resume)) if is_file else _folder(resume)
    return folder if folder is not None and unsent(folder) else None


def send(folder: Path) -> int:
    """Send what the store lacks of a run that has ended, and return the exit code."""
    synced = sync(folder)
    if not synced.is_all:
        return 1
    print("\n".join([f"MLflow has all of the run {synced.run_id} now:", *synced.where]))
    return 0


def ended_folder(resume: str) -> Path:
    """Return the folder of a run, of which a longer one is to be made."""
    folder = _folder(resume)
    if not (folder / paths.RECORD).is_file() or not (folder / paths.LAST_CHECKPOINT).is_file():
        raise _refusal(f"{resume!r} has no folder of a run with a checkpoint here")
    return folder


def run_folder(checkpoint: Path) -> Path | None:
    """Return the folder of the run that a checkpoint belongs to, if it is still in one."""
    folder = checkpoint.parent.parent
    return folder if (folder / paths.RECORD).is_file() else None


def _folder(resume: str, outputs: Path = OUTPUTS) -> Path:
    if resume and Path(resume).is_dir():
        return Path(resume)
    try:
        found = Runs(outputs).find(resume)
    except RunError as error:
        raise _refusal(str(error)) from error
    return found.folder or Path(resume)


def _refusal(message: str) -> ConfigError:
    return ConfigError.at("resume", message)


def _others(outputs: Path) -> str:
    found = [
        typed(override("resume", str(relative_to_cwd(folder))))
        for folder, record in records_below(outputs)
        if not record.is_over and not record.is_alive and (folder / paths.LAST_CHECKPOINT).is_file()
    ]
    if not found:
        return "No other run can be resumed"
    return "\n    ".join(["These can be, the latest first:", *found[:MAX_LISTED]])
