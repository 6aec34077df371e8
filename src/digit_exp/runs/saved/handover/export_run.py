"""`export RUN --to FILE.zip`: everything that proves a run, as one file for somebody else."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digit_exp.registry import ConfigError
from digit_exp.runs import metrics_file, paths
from digit_exp.runs.active_run import epoch_of, files_of
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.found_run import FoundRun, RunError, record_of
from digit_exp.runs.saved.handover.archive import REQUIREMENTS, is_of_a_run, write
from digit_exp.runs.saved.handover.import_run import rewrite
from digit_exp.runs.saved.predict import write_model_of
from digit_exp.tracking.tags import Tag

SUFFIX = ".zip"
VERSIONS = "version."
PROGRAM = "digit-exp"


def export_run(run: FoundRun, to: Path) -> str:
    """Write a run to an archive and return its SHA-256.

    The address of its store is left out, as it may have a password. Raises RunError if the run is
    going on or lacks a file that it must have.
    """
    if to.suffix.lower() != SUFFIX:
        raise ConfigError.at("--to", f"must end with {SUFFIX}, got {to}")
    if run.folder is None and run.trial is None:
        raise RunError(f"{run.label} is a checkpoint without its run; name the run")
    record = _record(run)
    with TemporaryDirectory(prefix="digit_exp-") as work:
        folder = Path(work)
        _copy_files(run, folder)
        record.write(folder)
        if run.folder is None:
            _write_from_store(run, folder, record)
        text = "".join(f"{line}\n" for line in _requirements(record))
        (folder / REQUIREMENTS).write_bytes(text.encode())
        if run.config.get("tracking.uri") is not None:
            rewrite(folder, {"tracking": {"uri": None}})
        return write(to, folder, _about(record))


def _record(run: FoundRun) -> RunRecord:
    """Return what `run.json` says; of a run whose folder is elsewhere, by what its store knows."""
    if run.folder is not None:
        record = record_of(run.folder)
        record.status = "KILLED" if record.is_dead else record.status
    else:
        record = _record_of_store(run)
    if record.status == "RUNNING":
        raise RunError(f"{run.label} is still going on; export it when it has ended")
    return record


def _record_of_store(run: FoundRun) -> RunRecord:
    owner = {Tag.PID, Tag.HOST, Tag.SINCE, Tag.HEARTBEAT}
    of_epochs = {name for epoch in run.history() for name in epoch}
    return RunRecord(
        run.run_id,
        status=run.status,
        started=run.started.isoformat(),
        host=run.tags.get(Tag.HOST, ""),
        pid=int(run.tags.get(Tag.PID, 0)),
        summary={name: value for name, value in run.metrics.items() if name not in of_epochs},
        reason=run.tags.get(Tag.STOP_REASON),
        name=run.name,
        tags={name: text for name, text in run.tags.items() if name not in owner},
    )


def _copy_files(run: FoundRun, folder: Path) -> None:
    """Copy the files of a run, from its folder or from the store."""
    names = [] if run.folder is None else files_of(run.folder)
    if run.folder is not None:
        others = paths.METRICS, paths.SYSTEM_METRICS, paths.MODEL
        names += [name for name in others if (run.folder / name).is_file()]
    elif run.store is not None and run.run_id is not None:
        names += [name for name in run.store.files(run.run_id) if is_of_a_run(name)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(run.file(Path(name)), folder / name)


def _write_from_store(run: FoundRun, folder: Path, record: RunRecord) -> None:
    """Write what is in a run's folder and not among the files of its store."""
    at = run.started.timestamp()
    epochs = []
    for metrics in run.history():
        at += metrics.get("epoch_seconds", 0.0)
        epochs.append(epoch_of(metrics, math.floor(1000 * at)))
    metrics_file.append(folder / paths.METRICS, epochs)
    if record.status == "FINISHED" and (folder / paths.LAST_CHECKPOINT).is_file():
        write_model_of(run, folder / paths.MODEL)


def _about(record: RunRecord) -> dict[str, Any]:
    """Return what the manifest says of a run, so that it can be read without this program."""
    known = record.all_tags.get
    return {
        "run": {name: getattr(record, name) for name in ("run_id", "name", "status", "started")},
        "code": {
            "digest": known(Tag.SOURCE_DIGEST),
            "commit": known(Tag.COMMIT),
            "dirty": known("git.dirty"),
        },
        "data": {"name": known(Tag.DATA), "digest": known(Tag.DATA_DIGEST)},
        "versions": _versions(record.all_tags),
    }


def _versions(tags: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(VERSIONS): text
        for name, text in sorted(tags.items())
        if name.startswith(VERSIONS)
    }


def _requirements(record: RunRecord) -> list[str]:
    """Return the lines of a file for `pip install -r`; this program is installed otherwise."""
    versions = _versions(record.all_tags)
    own = {name: versions.pop(name, "unknown") for name in (PROGRAM, "python")}
    digest = record.all_tags.get(Tag.SOURCE_DIGEST, "unknown")
    comments = [f"# Python {own['python']}", f"# {PROGRAM} {own[PROGRAM]}, source {digest}"]
    return [*comments, *(f"{name}=={text}" for name, text in versions.items())]
