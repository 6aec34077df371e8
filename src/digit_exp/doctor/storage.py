"""Where runs, data sets and their tracking are kept: folders, disk, cache, store."""

import shutil
import tempfile
from pathlib import Path

from digit_exp.doctor.check import Check, error, warning

FEW_BYTES, TOO_FEW_BYTES = 2_000_000_000, 100_000_000
"""Free disk space: a sweep may fill the first, a run the second."""


def folder() -> Check:
    """Try to write where runs are put."""
    here = Path.cwd()
    outputs = here / "outputs"
    try:
        with tempfile.TemporaryFile(dir=outputs if outputs.is_dir() else here):
            pass
    except OSError as failure:
        advice = "start in a folder that can be written"
        return error(f"{here}: {failure.strerror}", advice)
    return Check(f"runs go to {outputs}")


def runs() -> Check:
    """Read the record of every run below outputs/."""
    from digit_exp.runs import paths
    from digit_exp.runs.folder import RecordError, RunRecord

    count, damaged = 0, []
    for note in Path("outputs").rglob(paths.RECORD):
        try:
            RunRecord.read(note.parent)
        except RecordError:
            damaged.append(str(note))
        count += 1
    if damaged:
        found = f"{len(damaged)} of {count} cannot be read: {', '.join(damaged)}"
        return error(found, "these folders are skipped: move them away")
    return Check(f"{count} below outputs/")


def disk() -> Check:
    """Look at how much space is left."""
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 1e9:.1f} GB free"
    if free < TOO_FEW_BYTES:
        return error(found, "make room: a run needs some ten to a hundred megabytes")
    if free < FEW_BYTES:
        return warning(found, "make room before a sweep: each job keeps some megabytes")
    return Check(found)


def data_cache() -> Check:
    """Look at where downloaded data sets are kept."""
    from digit_exp.data.download import cache_folder

    folder = cache_folder("")
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as failure:
        advice = "set DIGIT_EXP_CACHE to a folder that can be written"
        return warning(f"{folder}: {failure.strerror}", advice)
    sets = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return Check(f"{folder} with {', '.join(sets) or 'nothing downloaded'}")


def store(uri: str | None) -> Check:
    """Read from the MLflow store; a database that is not there yet is not made."""
    from digit_exp.registry import ConfigError
    from digit_exp.tracking.base import TrackingError
    from digit_exp.tracking.mlflow.queries import RunStore
    from digit_exp.tracking.mlflow.uri import locate

    try:
        place = locate(uri, Path.cwd())
        if place.database and not place.database.exists():
            return Check(f"{place.address}, which the first tracked run makes")
        trials = RunStore(place).trials()
    except ConfigError as failure:
        return error(str(failure.problems[0]), "name another store: --uri ADDRESS")
    except TrackingError as failure:
        return error(
            str(failure),
            "name another with --uri or MLFLOW_TRACKING_URI, or run without one",
        )
    running = sum(trial.is_running for trial in trials)
    return Check(f"{place.address} answers; runs: {len(trials)}, running: {running}")
