"""One run from configuration to result: its checkpoint, tracker, record and log around it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from digit_exp.atomic import discard_drafts
from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.runs import summary as report
from digit_exp.runs.errors import JobFailed
from digit_exp.runs.experiment import Experiment, Result, Rivalry
from digit_exp.runs.folder import RunRecord, recorded
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.base import Tracker, TrackingError
from digit_exp.tracking.mlflow.run import open_tracker
from digit_exp.tracking.mlflow.spool import UNSENT
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_for_resuming

log = logging.getLogger(__name__)

LOG = "digit_exp.log"

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""Errors of the file system that a person understands without a traceback."""

SMALLER = "try a smaller model.hidden, trainer.batch_size or data.train_size"


@dataclass(frozen=True)
class OpenRun:
    """A run that is tracked and has a record in its folder, until it is closed."""

    tracker: Tracker
    record: RunRecord

    def conduct(
        self, experiment: Experiment, interruption: Interruption, rivalry: Rivalry | None = None
    ) -> Result:
        """Run the experiment and write down what it came to; `rivalry` tells of its sweep."""
        self.tracker.set_tags(experiment.made_with)
        self.record.tags |= experiment.made_with
        result = experiment.run(self.tracker, interruption, rivalry)
        self.record.status, self.record.summary = result.status, result.summary
        self.record.reason = result.stop_reason
        return result


def run_job(config: RunConfig, folder: Path, resume: Path | None = None) -> Result:
    """Run a configuration in `folder`, or go on from the checkpoint `resume`, with its own.

    Raises JobFailed for whatever goes wrong.
    """
    try:
        with Interruption() as interruption:
            checkpoint = _load(resume) if resume else None
            discard_drafts(folder)
            if checkpoint is not None:
                config = from_mapping(checkpoint.config["run"])
            result, where = execute(config, folder, interruption, checkpoint)
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
    checkpoint: Checkpoint | None = None,
) -> tuple[Result, list[str]]:
    """Run inside a tracked run, and return where that can be looked at as well.

    What can be refused is refused before the run is opened.
    """
    experiment = Experiment.prepare(config, folder, checkpoint)
    with opened(config, folder, checkpoint=checkpoint) as run:
        result = run.conduct(experiment, interruption)
    return result, run.tracker.where()


@contextmanager
def opened(
    config: RunConfig,
    folder: Path,
    *,
    checkpoint: Checkpoint | None = None,
    name: str | None = None,
    identity: Mapping[str, str] | None = None,
) -> Iterator[OpenRun]:
    """Open a run, or that of `checkpoint` again, and close it with the truth about its end.

    In a sweep, `identity` are the tags that say which. An exception becomes JobFailed.
    """
    name = name or report.run_name(config)
    tracked = open_tracker(
        config.tracking.backend.value,
        uri=config.tracking.uri,
        experiment=config.tracking.experiment,
        tags=config.tracking.tags,
        run_name=name,
        run_id=checkpoint.config["run_id"] if checkpoint else None,
        identity=identity,
        spool=folder / UNSENT,
    )
    with tracked as tracker:
        note = RunRecord(
            tracker.run_id, name=name, tags={**config.tracking.tags, **(identity or {})}
        )
        with recorded(folder, note) as record:
            try:
                yield OpenRun(tracker, record)
            except Exception as error:
                raise logged(error) from error
            finally:
                tracker.log_file(folder / LOG)
            tracker.end()  # before the note says so: of two killed apart, the store catches up


def _load(file: Path) -> Checkpoint:
    """Read a checkpoint that holds a run, not just a network."""
    checkpoint = load_for_resuming(file)
    if not {"run", "run_id", "data_digest"} <= checkpoint.config.keys():
        raise CheckpointError(file, "it holds a network, but no run that could go on")
    return checkpoint


def logged(error: Exception) -> JobFailed:
    """Put into the log what went wrong: a sentence where that is enough, else the traceback."""
    if isinstance(error, ConfigError | DataError | CheckpointError | TrackingError):
        log.error("%s", error)
    elif isinstance(error, OSError) and error.filename and error.errno in DISK:
        log.error("%s cannot be written: %s", error.filename, error.strerror)
    elif isinstance(error, MemoryError):
        error = MemoryError(f"the memory is too small for this run ({error}): {SMALLER}")
        log.error("%s", error)
    else:
        log.error("the run failed", exc_info=error)
    return JobFailed(str(error) or type(error).__name__)
