"""One run from configuration to result, with its tracker, record and log."""

import errno
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from digit_exp.atomic import discard_drafts, write_text
from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun, discard_outcome
from digit_exp.runs.errors import JobFailed
from digit_exp.runs.experiment import Experiment, Result
from digit_exp.runs.folder import RunRecord, keep_record, relative_to_cwd
from digit_exp.runs.initial_weights import InitialWeights
from digit_exp.runs.results.summary import log_start, run_name, write_config
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.sync.start_run import HURRY, PATIENCE, open_tracker
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_for_resuming

log = logging.getLogger(__name__)

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""Errors of the file system that need no traceback to be understood."""

MEMORY_ADVICE = "try a smaller model.hidden, trainer.batch_size or data.train_size"


Work = Callable[[Path, Interruption], tuple[Result, list[str]]]
"""Makes a run in a folder; returns its result, and how to view it."""


def run_job(folder: Path, work: Work) -> Result:
    """Make a run in `folder` and log where its files are; raises JobFailed for all that fails."""
    try:
        with Interruption() as interruption:
            discard_drafts(folder)
            result, where = work(folder, interruption)
    except JobFailed:
        raise
    except Exception as error:
        raise log_failure(error) from error
    log.info("\nthe files of this run: %s", relative_to_cwd(folder))
    if where:
        log.info("to view it in MLflow:\n%s", "\n".join(where))
    return result


def execute(
    config: RunConfig,
    folder: Path,
    interruption: Interruption,
    checkpoint: Checkpoint | None = None,
    last_epoch: int | None = None,
    initial: InitialWeights | None = None,
) -> tuple[Result, list[str]]:
    """Run and track an experiment; return its result, and how to view it.

    `last_epoch` is where a run stopped that is trained again, `initial` what `config.start_from`
    names.

    Errors of the configuration and the data are raised before the run is opened.
    """
    prepared = Experiment.prepare(config, folder, checkpoint, initial)
    experiment = replace(prepared, last_epoch=last_epoch)
    log_start(experiment)  # opening a tracked run takes seconds
    with start_run(config, folder, checkpoint=checkpoint) as run:
        result = train_and_evaluate(experiment, run, interruption)
    return result, run.tracker.where()


def resume_run(file: Path, folder: Path, interruption: Interruption) -> tuple[Result, list[str]]:
    """Go on with the run of a checkpoint in its folder; returns what `execute` does."""
    checkpoint = load_run_checkpoint(file)
    return execute(from_mapping(checkpoint.config["run"]), folder, interruption, checkpoint)


@contextmanager
def start_run(
    config: RunConfig,
    folder: Path,
    *,
    checkpoint: Checkpoint | None = None,
    name: str | None = None,
    identity: Mapping[str, str] | None = None,
    origin: Mapping[str, str] | None = None,
) -> Iterator[ActiveRun]:
    """Open a run, or that of `checkpoint` again, and record how it ended.

    In a sweep, `identity` are the tags that identify the job; the run has them from the start.
    `origin` are the tags of a run that goes on from another one. An exception becomes JobFailed.
    """
    write_config(config, folder)  # first: a run that is found has a configuration
    settings = config.tracking
    record = RunRecord(None, name=name or run_name(config))
    record.tags |= {**settings.tags, **(identity or {}), **(origin or {})}
    if checkpoint is None:
        discard_outcome(folder)
    else:
        _take_up(record, folder, checkpoint)
    run = ActiveRun(folder, config, record)
    run.tracker = open_tracker(
        settings.backend.value,
        run.contents(),
        uri=settings.uri,
        experiment=settings.experiment,
        keeps_checkpoints=identity is not None,
        every=settings.system_metrics,
    )
    record.run_id = run.tracker.run_id or record.run_id
    run.tracker.follow(run.observed)
    patience = PATIENCE
    try:
        with keep_record(folder, record):
            yield run
    except KeyboardInterrupt:
        patience = HURRY
        raise
    except Exception as error:
        with suppress(OSError):
            write_text(folder / paths.TRACEBACK, "".join(traceback.format_exception(error)))
        raise log_failure(error) from error
    finally:
        run.tracker.close(patience)


def _take_up(record: RunRecord, folder: Path, checkpoint: Checkpoint) -> None:
    """Continue the record that an earlier process has written."""
    record.run_id, record.taken_up = checkpoint.config["run_id"], record.started
    with suppress(OSError, ValueError, TypeError):  # it is not there, or was cut off
        earlier = RunRecord.read(folder)
        if Tag.IMPORTED in earlier.tags:  # its checkpoints have the id of another store
            record.run_id = earlier.run_id
        if earlier.run_id == record.run_id:
            record.started, record.name = earlier.started, earlier.name or record.name
            record.annotations = earlier.annotations
            kept = {name: text for name, text in earlier.tags.items() if name != Tag.ERROR}
            record.tags = {**kept, **record.tags}  # of which sweep it is a job, for one


def load_run_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint of a run; a saved network alone is refused."""
    checkpoint = load_for_resuming(file)
    if not {"run", "run_id", "data_digest"} <= checkpoint.config.keys():
        raise CheckpointError(file, "it has a network, but no run to resume")
    return checkpoint


def log_failure(error: Exception) -> JobFailed:
    """Log an error: its message if that is enough, else the traceback."""
    if isinstance(error, ConfigError | DataError | CheckpointError | TrackingError):
        log.error("%s", error)
    elif isinstance(error, OSError) and error.filename and error.errno in DISK:
        log.error("cannot write %s: %s", error.filename, error.strerror)
    elif isinstance(error, MemoryError):
        error = MemoryError(f"not enough memory for this run ({error}): {MEMORY_ADVICE}")
        log.error("%s", error)
    else:
        log.error("the run failed", exc_info=error)
    return JobFailed(str(error) or type(error).__name__)
