"""One run from configuration to result: its checkpoint, tracker, record and log around it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from digit_exp.app import report
from digit_exp.app.config import from_mapping, structure
from digit_exp.app.endings import JobFailed
from digit_exp.app.experiment import Experiment, Result, Rivalry
from digit_exp.app.interruption import Interruption
from digit_exp.app.record import RunRecord, recorded
from digit_exp.app.schema import RunConfig
from digit_exp.atomic import discard_drafts
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.tracking.run import open_tracker
from digit_exp.tracking.spool import UNSENT
from digit_exp.tracking.tracker import Tracker, TrackingError
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint

log = logging.getLogger(__name__)

LOG = "digit_exp.log"

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""Errors of the file system that a person understands without a traceback."""


def run_job(cfg: DictConfig, folder: Path) -> Result:
    """Run what Hydra composed, in `folder`; raise JobFailed for whatever goes wrong."""
    try:
        with Interruption() as interruption:
            checkpoint = _load(cfg.resume) if cfg.resume else None
            discard_drafts(folder)
            config = from_mapping(checkpoint.config["run"]) if checkpoint else structure(cfg)
            result, where = execute(config, folder, interruption, checkpoint=checkpoint)
    except JobFailed:
        raise
    except Exception as error:
        raise logged(error) from error
    if where:
        log.info("\n%s", "\n".join(["to look at this run:", *where]))
    return result


def execute(
    config: RunConfig,
    folder: Path,
    interruption: Interruption,
    *,
    checkpoint: Checkpoint | None = None,
    name: str | None = None,
    identity: Mapping[str, str] | None = None,
    rivalry: Rivalry | None = None,
) -> tuple[Result, list[str]]:
    """Run inside a tracked run, and return where that can be looked at as well.

    In a sweep, `identity` are the tags that say which, and `rivalry` tells of its other runs.
    """
    experiment = Experiment.prepare(config, folder, checkpoint)
    name = name or report.run_name(config)
    tags = {**config.tracking.tags, **experiment.made_with}
    opened = open_tracker(
        config.tracking.backend.value,
        uri=config.tracking.uri,
        experiment=config.tracking.experiment,
        tags=tags,
        run_name=name,
        run_id=checkpoint.config["run_id"] if checkpoint else None,
        identity=identity,
        spool=folder / UNSENT,
    )
    with opened as tracker:
        note = RunRecord(tracker.run_id, name=name, tags={**tags, **(identity or {})})
        with recorded(folder, note) as record:
            result = _run(experiment, tracker, interruption, record, rivalry)
    return result, tracker.where()


def _load(file: str) -> Checkpoint:
    """Read a checkpoint that holds a run, not just a network."""
    checkpoint = load_checkpoint(file)
    if not {"run", "run_id", "data_digest"} <= checkpoint.config.keys():
        raise CheckpointError(Path(file), "it holds a network, but no run that could go on")
    return checkpoint


def _run(
    experiment: Experiment,
    tracker: Tracker,
    interruption: Interruption,
    record: RunRecord,
    rivalry: Rivalry | None,
) -> Result:
    """Run, and leave in `record` what came of it."""
    try:
        result = experiment.run(tracker, interruption, rivalry)
    except Exception as error:
        raise logged(error) from error
    finally:
        tracker.log_file(experiment.folder / LOG)
    record.status, record.summary = result.status, result.summary
    record.reason = result.stop_reason
    tracker.end()  # before the note says so: of two that were killed apart, the store catches up
    return result


def logged(error: Exception) -> JobFailed:
    """Put into the log what went wrong: a sentence where that is enough, else the traceback."""
    if isinstance(error, ConfigError | DataError | CheckpointError | TrackingError):
        log.error("%s", error)
    elif isinstance(error, OSError) and error.filename and error.errno in DISK:
        log.error("%s cannot be written: %s", error.filename, error.strerror)
    else:
        log.error("the run failed", exc_info=error)
    return JobFailed(str(error))
