"""One job of a sweep: skipped if it was done before, resumed if it was interrupted, else run.

Its folder is named by the hash of what the job is, not by its number, so that any command with the
same job finds its results.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun
from digit_exp.runs.errors import JobFailed
from digit_exp.runs.experiment import Experiment, PruningContext, load_data
from digit_exp.runs.log_file import logging_to
from digit_exp.runs.results import summary as report
from digit_exp.runs.reuse.start_from import initial_weights, pin
from digit_exp.runs.runner import log_failure, start_run
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate
from digit_exp.sweeps import previous
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.outcomes import STOPPED, Outcome, OutcomeLog
from digit_exp.sweeps.peers import PeerHistories, number_of
from digit_exp.sweeps.previous import PreviousRun
from digit_exp.sweeps.race import Race
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.queries import SUPERSEDED, identity
from digit_exp.tracking.mlflow.sweep_runs import Sweep, join_sweep
from digit_exp.tracking.tags import Tag
from digit_exp.training.callbacks import SWEEP_OUT_OF_TIME
from digit_exp.training.checkpoint import Checkpoint


def run_trial(values: Mapping[str, Any], context: SweepContext, number: int) -> float | None:
    """Run a job and return its objective, NaN if it has none, None if it is dropped.

    A job that fails is recorded in the outcomes and does not end the sweep. With `fail_fast`, jobs
    of any process that would start after it are not started.
    """
    config = from_mapping(values)
    if context.is_search:  # it has chosen the values, so that no plan has seen them
        config = pin(config)
    sweep = _joined(config, context)
    outcomes = OutcomeLog(context, sweep)
    if context.fail_fast and outcomes.has_failures():
        return math.nan
    if context.is_out_of_time:
        return _later(context)
    name = report.run_name(config, context.varied)
    with Interruption() as interruption:
        try:
            outcome = SweepJob(config, context, number, name, sweep).finish(interruption)
        except Exception as error:
            failure = error if isinstance(error, JobFailed) else log_failure(error)
            outcomes.add(Outcome(number, name, "failed", reason=str(failure)))
            if context.is_search:  # the search asks for it again when it is started again
                raise failure from error
            return math.nan
    value = outcome.summary.get(context.objective, math.nan)
    outcomes.add(Outcome(number, name, outcome.word, value if math.isfinite(value) else None))
    if outcome.word == STOPPED:
        return _later(context)
    return None if outcome.is_dropped else value


def _later(context: SweepContext) -> float:
    """Return nothing for a job that the next command runs; a search must not count it."""
    if context.is_search:
        raise JobFailed(STOPPED)
    return math.nan


def _joined(config: RunConfig, context: SweepContext) -> Sweep | None:
    if context.parent_id is None:
        return None
    settings = config.tracking
    return join_sweep(
        context.name, context.parent_id, uri=settings.uri, experiment=settings.experiment
    )


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job in this command."""

    word: str
    """A few words, such as `done` or `was done before`."""
    summary: Mapping[str, float] = field(default_factory=dict)
    is_dropped: bool = False


@dataclass(frozen=True)
class SweepJob:
    """A configuration at its place in a sweep."""

    config: RunConfig
    context: SweepContext
    number: int
    name: str
    sweep: Sweep | None

    def finish(self, interruption: Interruption) -> JobOutcome:
        """Return the outcome of the job, from an earlier run if there is one."""
        unread = self._location(None)
        try:
            digest = load_data(self.config.data).digest
        except Exception as error:
            unread.fail(error)
        unread.forget_failure()  # now the data can be read
        return self._location(digest).finish(interruption)

    def _location(self, data_digest: str | None) -> _JobLocation:
        name = config_hash(self.config, data_digest)
        return _JobLocation(self, name, self.context.path / name)


@dataclass(frozen=True)
class _JobLocation:
    """The place of a job in the store and in a folder, named by its hash."""

    job: SweepJob
    identity: str
    folder: Path

    def past(self) -> PreviousRun:
        """Return what earlier commands left of the job."""
        if self.job.sweep is None:
            return previous.previous_in_folder(self.folder)
        return previous.previous_in_store(self.job.sweep, self.identity, self.folder)

    def finish(self, interruption: Interruption) -> JobOutcome:
        """Return the outcome of the job, unless another process of this machine runs it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", blocking=False):
                return self._finish(interruption)
        except Timeout:
            return JobOutcome("is running in another process")

    def _finish(self, interruption: Interruption) -> JobOutcome:
        earlier = self.past()
        if earlier.runner is not None:
            return JobOutcome(f"is running elsewhere ({earlier.runner})")
        if self.job.context.rerun:
            self.discard(earlier)
            earlier = PreviousRun()
        if earlier.is_over:
            where = "" if earlier.is_here else ", elsewhere"
            return JobOutcome(f"was done before{where}", earlier.summary)
        checkpoint = self._checkpoint(earlier)
        if checkpoint is None:
            if (reason := self._reason_to_drop()) is not None:
                return JobOutcome(f"dropped, {reason}", is_dropped=True)
            self.discard(earlier)
        return self._run(checkpoint, interruption)

    def _reason_to_drop(self) -> str | None:
        """Return why a race does not run the job, and note that; None if it is to be run."""
        job = self.job
        race = Race(job.context, job.sweep)
        reason = race.reason_to_drop(job.config, job.number)
        if reason is not None:
            race.drop(self.identity, job.config, job.number, reason)
        return reason

    def _run(self, checkpoint: Checkpoint | None, interruption: Interruption) -> JobOutcome:
        with self._opened(checkpoint) as run:
            if self._is_taken(run):
                return JobOutcome("is running elsewhere")
            initial = initial_weights(self.job.config) if checkpoint is None else None
            experiment = Experiment.prepare(self.job.config, self.folder, checkpoint, initial)
            report.log_start(experiment)
            result = train_and_evaluate(experiment, run, interruption, self._pruning_context())
        if result.stop_reason == SWEEP_OUT_OF_TIME:
            return JobOutcome(STOPPED)
        if result.stop_reason == "pruned":
            return JobOutcome("pruned", result.summary)
        if result.is_failure:
            return JobOutcome(result.stop_reason or "failed")
        return JobOutcome("resumed and done" if checkpoint else "done", result.summary)

    def fail(self, error: Exception) -> NoReturn:
        """Record a run with the status FAILED for a job that cannot start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.discard(self.past())
        with self._opened(None):
            raise error

    def forget_failure(self) -> None:
        """Discard the job's remains if it had failed; saves a query for those that had not."""
        has_failed = self.identity in self.job.context.failed
        self.discard(self.past() if has_failed else PreviousRun())

    def discard(self, earlier: PreviousRun) -> None:
        """Discard what earlier commands left of this job."""
        if earlier.trial is not None and self.job.sweep is not None:
            self.job.sweep.supersede(earlier.trial)
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    @contextmanager
    def _opened(self, checkpoint: Checkpoint | None) -> Iterator[ActiveRun]:
        """Open the run of the job, with a log of its own."""
        job = self.job
        opening = start_run(
            job.config,
            self.folder,
            checkpoint=checkpoint,
            name=job.name,
            identity=self._tags(),
        )
        with logging_to(self.folder / paths.LOG), opening as run:
            yield run

    def _tags(self) -> dict[str, str]:
        """Return what says of which sweep the run is, tracked or not, and which of its jobs."""
        context, sweep = self.job.context, self.job.sweep
        of_sweep = (
            identity(context.name, self.identity)
            if sweep is None
            else sweep.identity(self.identity)
        )
        race = {Tag.RACE: "true"} if context.race else {}
        return {**of_sweep, Tag.JOB: str(self.job.number), Tag.OBJECTIVE: context.objective, **race}

    def _is_taken(self, run: ActiveRun) -> bool:
        """Return whether another machine has begun the same job; then this run is superseded."""
        sweep = self.job.sweep
        if sweep is None or not sweep.is_taken(self.identity, run.tracker.run_id):
            return False
        run.record.tags |= {Tag.KIND: SUPERSEDED}
        run.record.status = Status.KILLED
        return True

    def _checkpoint(self, earlier: PreviousRun) -> Checkpoint | None:
        """Return where an interrupted or failed run of this job can go on, if it can."""
        if self.job.sweep is None:
            return previous.checkpoint_in_folder(self.folder)
        if earlier.trial is None:
            return None
        return previous.checkpoint_in_store(self.job.sweep, earlier.trial, self.folder)

    def _pruning_context(self) -> PruningContext:
        metric = report.monitor_of(self.job.config).monitor.value
        peers = PeerHistories(self.job.sweep, self.job.context.path, metric)
        return PruningContext(number_of(self.identity), peers, self.job.context.deadline)
