"""Which checkpoint `resume=...` means, and whether its run may go on."""

from __future__ import annotations

from pathlib import Path

from digit_exp.app.record import CHECKPOINT, FILE, RunRecord, runs
from digit_exp.registry import ConfigError, Problem

OUTPUTS = Path("outputs")


def find_checkpoint(resume: str, outputs: Path = OUTPUTS) -> Path:
    """Return the checkpoint for "latest", a run id, a run's folder or a checkpoint file.

    Raises ConfigError if there is none, or if its run is finished or still going on.
    """
    path = Path(resume)
    if path.is_file():
        checkpoint = path
    elif path.is_dir():
        checkpoint = path / CHECKPOINT
    else:
        checkpoint = _find_run(resume, outputs) / CHECKPOINT
    if not checkpoint.is_file():
        raise _refusal(f"{checkpoint.parent.parent} holds no checkpoint to resume from")
    if (folder := run_folder(checkpoint)) is not None:
        _require_unfinished(resume, RunRecord.read(folder))
    return checkpoint


def run_folder(checkpoint: Path) -> Path | None:
    """Return the folder of the run that a checkpoint belongs to, if it still lies there."""
    folder = checkpoint.parent.parent
    return folder if (folder / FILE).is_file() else None


def _find_run(resume: str, outputs: Path) -> Path:
    found = list(runs(outputs))
    if resume == "latest" and found:
        return found[0][0]
    for folder, record in found:
        if record.run_id == resume:
            return folder
    if not found:
        raise _refusal(f"there are no runs below {outputs.resolve()}")
    raise _refusal(
        f"{resume!r} is neither a file nor a folder nor the id of a run below {outputs}."
        f" The latest run is {found[0][1].run_id or found[0][0]}"
    )


def _require_unfinished(resume: str, record: RunRecord) -> None:
    if record.is_over:
        how = "finished" if record.status == "FINISHED" else record.reason
        raise _refusal(f"the run {record.run_id or resume} is {how}; there is nothing to resume")
    if record.is_alive:
        raise _refusal(
            f"the run {record.run_id or resume} is still going on (process {record.pid})"
        )


def _refusal(message: str) -> ConfigError:
    return ConfigError(Problem("resume", message))
