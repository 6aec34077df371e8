"""One job of a sweep: recognised if it was done before, resumed if it was interrupted, else run.

Its folder is named for what the job is, not for its place in the plan, so that any command which
comes to the same job finds what is there.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from digit_exp.app.config import structure
from digit_exp.app.endings import JobFailed
from digit_exp.app.experiment import Rivalry, load
from digit_exp.app.found import STOP_REASON
from digit_exp.app.gather import (
    histories_in_folders,
    histories_in_store,
    number_of,
)
from digit_exp.app.identity import config_hash
from digit_exp.app.interruption import Interruption
from digit_exp.app.job import LOG, execute, logged
from digit_exp.app.ledger import Ledger
from digit_exp.app.record import CHECKPOINT, FILE, OVER, RunRecord
from digit_exp.app.report import monitored, run_name
from digit_exp.app.schema import RunConfig
from digit_exp.app.ticket import Ticket
from digit_exp.tracking.sweeps import Sweep, Trial, identity, join_sweep
from digit_exp.tracking.tracker import TrackingError
from digit_exp.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint

log = logging.getLogger(__name__)


def run_trial(cfg: DictConfig, ticket: Ticket, number: int) -> float:
    """Bring a job to its end and return its objective, NaN if it has none.

    A job that fails is told at once and does not end the sweep. If that is asked for, those that
    come after it, in whatever process, are not begun.
    """
    ledger = Ledger(ticket)
    if ticket.fail_fast and ledger.failures():
        return math.nan
    config = structure(cfg)
    name = run_name(config, ticket.varied)
    with Interruption() as interruption:
        try:
            outcome = _Job(config, ticket, number).finish(interruption)
        except Exception as error:
            failure = error if isinstance(error, JobFailed) else logged(error)
            ledger.enter(number, name, "failed", math.nan, str(failure))
            if ticket.is_search:  # the search asks for it again when it is started again
                raise failure from error
            return math.nan
    value = outcome.summary.get(ticket.objective, math.nan)
    ledger.enter(number, name, outcome.word, value)
    return value


@dataclass(frozen=True)
class _Outcome:
    """What is known of a job that has ended."""

    word: str
    """How it came to its end, in this command."""
    summary: dict[str, float]


class _Job:
    """A configuration at its place in a sweep."""

    def __init__(self, config: RunConfig, ticket: Ticket, number: int) -> None:
        self._config = config
        self._ticket = ticket
        self._number = number
        self._hash = config_hash(config, load(config.data).digest)
        self._folder = ticket.path / self._hash
        self._sweep = _joined(config, ticket)

    def finish(self, interruption: Interruption) -> _Outcome:
        """Return the outcome of the job, from an earlier run if there is one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / ".lock", blocking=False):
                return self._finish(interruption)
        except Timeout:
            return _Outcome("is running in another process", {})

    def _finish(self, interruption: Interruption) -> _Outcome:
        record, trial = self._record(), self._trial()
        if self._ticket.rerun:
            self._forget(trial)
            record = trial = None
        if record is not None and record.is_over:
            summary = {} if record.reason == "diverged" else record.summary
            return _Outcome("was done before", summary)
        if trial is not None and (
            trial.status == "FINISHED" or trial.tags.get(STOP_REASON) in OVER
        ):
            return _Outcome("was done before, elsewhere", dict(trial.metrics))
        if trial is not None and trial.status == "RUNNING":
            return _Outcome("is running elsewhere", {})
        checkpoint = self._checkpoint()
        if checkpoint is None:
            self._forget(trial)
        with _logging_to(self._folder / LOG):
            result, _ = execute(
                self._config,
                self._folder,
                interruption,
                checkpoint=checkpoint,
                name=run_name(self._config, self._ticket.varied),
                identity=self._identity(),
                rivalry=Rivalry(number_of(self._hash), self._rivals),
            )
        if result.stop_reason == "pruned":
            return _Outcome("pruned", result.summary)
        if result.is_failure:
            return _Outcome(result.stop_reason or "failed", {})
        return _Outcome("resumed and done" if checkpoint else "done", result.summary)

    def _rivals(self) -> Mapping[int, Mapping[int, float]]:
        """Return what the other jobs have measured; none, if the store does not answer now."""
        metric = monitored(self._config).monitor.value
        if self._sweep is None:
            return histories_in_folders(self._ticket.path, metric)
        try:
            return histories_in_store(self._sweep, metric)
        except TrackingError as error:
            log.warning("nothing is pruned for now: %s", error)
            return {}

    def _record(self) -> RunRecord | None:
        return RunRecord.read(self._folder) if (self._folder / FILE).is_file() else None

    def _trial(self) -> Trial | None:
        return None if self._sweep is None else self._sweep.find(self._hash)

    def _checkpoint(self) -> Checkpoint | None:
        """Return where an interrupted or failed run of this job can go on, if it can."""
        try:
            return load_checkpoint(self._folder / CHECKPOINT)
        except CheckpointError:
            return None

    def _forget(self, trial: Trial | None) -> None:
        """Put away what earlier commands left of this job."""
        if trial is not None and self._sweep is not None:
            self._sweep.supersede(trial)
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    def _identity(self) -> dict[str, str]:
        tags = identity(self._ticket.name, self._hash)
        tracked = {} if self._sweep is None else self._sweep.identity(self._hash)
        number, objective = str(self._number), self._ticket.objective
        return {**tags, **tracked, "digit_exp.job": number, "digit_exp.objective": objective}


def _joined(config: RunConfig, ticket: Ticket) -> Sweep | None:
    if ticket.parent_id is None:
        return None
    settings = config.tracking
    return join_sweep(
        ticket.name, ticket.parent_id, uri=settings.uri, experiment=settings.experiment
    )


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Give the job a log file of its own; several jobs share a process, one after the other."""
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
