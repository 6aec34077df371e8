"""One job of a sweep: skipped if it was done before, resumed if it was interrupted, else run.

Its folder is named by the hash of what the job is, not by its number, so that any command with the
same job finds its results.
"""

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.pruning.pruners import number_of
from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun
from digit_exp.runs.errors import JobFailed
from digit_exp.runs.experiment import Experiment, PruningContext, load_data
from digit_exp.runs.log_file import logging_to
from digit_exp.runs.results import summary as report
from digit_exp.runs.runner import log_failure, start_run
from digit_exp.runs.saved.start_from import initial_weights, pin
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate
from digit_exp.sweeps import previous
from digit_exp.sweeps.collect import PeerHistories
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.outcomes import STOPPED, Outcome, OutcomeLog
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
    sweep, tracking = None, config.tracking
    if (parent := context.parent_id) is not None:
        sweep = join_sweep(context.name, parent, uri=tracking.uri, experiment=tracking.experiment)
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
            interruption.raise_if_asked()  # a library may have raised it because of a signal
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


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job in this command."""

    word: str
    """A few words, such as `done` or `was done before`."""
    summary: Mapping[str, float] = field(default_factory=dict)
    is_dropped: bool = False


@dataclass(frozen=True)
class SweepJob:
    """A configuration at its place in a sweep; its folder is named by its hash."""

    config: RunConfig
    context: SweepContext
    number: int
    name: str
    sweep: Sweep | None
    data_digest: str | None = None
    """None until the data were read."""

    @cached_property
    def identity(self) -> str:
        """The hash of what the job is."""
        return config_hash(self.config, self.data_digest)

    @property
    def folder(self) -> Path:
        """The folder of the job, which no other job has."""
        return self.context.path / self.identity

    def finish(self, interruption: Interruption) -> JobOutcome:
        """Return the outcome of the job, from an earlier run if there is one.

        It is not run if another process of this machine runs it.
        """
        try:
            digest = load_data(self.config.data).digest
        except Exception as error:
            self._fail(error)
        # now the data can be read; saves a query for jobs that had not failed
        self._discard(self._previous() if self.identity in self.context.failed else PreviousRun())
        job = replace(self, data_digest=digest)
        job.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(job.folder / ".lock", blocking=False):
                return job._finish(interruption)
        except Timeout:
            return JobOutcome("is running in another process")

    def _previous(self) -> PreviousRun:
        """Return what earlier commands left of the job."""
        if self.sweep is None:
            return previous.previous_in_folder(self.folder)
        return previous.previous_trial(self.sweep.find(self.identity), self.folder)

    def _finish(self, interruption: Interruption) -> JobOutcome:
        earlier = self._previous()
        if earlier.runner is not None:
            return JobOutcome(f"is running elsewhere ({earlier.runner})")
        if self.context.rerun:
            self._discard(earlier)
            earlier = PreviousRun()
        if earlier.is_over:
            where = "" if earlier.is_here else ", elsewhere"
            return JobOutcome(f"was done before{where}", earlier.summary)
        checkpoint = previous.checkpoint_of(earlier, self.sweep, self.folder)
        if checkpoint is None:
            race = Race(self.context, self.sweep)
            if (reason := race.reason_to_drop(self.config, self.number)) is not None:
                race.drop(self.identity, self.config, self.number, reason)
                return JobOutcome(f"dropped, {reason}", is_dropped=True)
            self._discard(earlier)
        return self._run(checkpoint, interruption)

    def _run(self, checkpoint: Checkpoint | None, interruption: Interruption) -> JobOutcome:
        with self._started(checkpoint) as run:
            if self._is_taken(run):
                return JobOutcome("is running elsewhere")
            initial = initial_weights(self.config) if checkpoint is None else None
            experiment = Experiment.prepare(self.config, self.folder, checkpoint, initial)
            report.log_start(experiment)
            metric = report.monitor_of(self.config).monitor.value
            peers = PeerHistories(self.sweep, self.context.path, metric)
            pruning = PruningContext(number_of(self.identity), peers, self.context.deadline)
            result = train_and_evaluate(experiment, run, interruption, pruning)
        if result.stop_reason == SWEEP_OUT_OF_TIME:
            return JobOutcome(STOPPED)
        if result.stop_reason == "pruned":
            return JobOutcome("pruned", result.summary)
        if result.is_failure:
            return JobOutcome(result.stop_reason or "failed")
        return JobOutcome("resumed and done" if checkpoint else "done", result.summary)

    def _fail(self, error: Exception) -> NoReturn:
        """Record a run with the status FAILED for a job that cannot start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._discard(self._previous())
        with self._started(None):
            raise error

    def _discard(self, earlier: PreviousRun) -> None:
        """Discard what earlier commands left of this job."""
        if earlier.trial is not None and self.sweep is not None:
            self.sweep.supersede(earlier.trial)
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    @contextmanager
    def _started(self, checkpoint: Checkpoint | None) -> Iterator[ActiveRun]:
        """Start the run of the job, with a log of its own and tags that say whose job it is."""
        tags = {
            **(
                identity(self.context.name, self.identity)
                if self.sweep is None
                else self.sweep.identity(self.identity)
            ),
            Tag.JOB: str(self.number),
            Tag.OBJECTIVE: self.context.objective,
            **({Tag.RACE: "true"} if self.context.race else {}),
        }
        start = start_run(
            self.config, self.folder, checkpoint=checkpoint, name=self.name, identity=tags
        )
        with logging_to(self.folder / paths.LOG), start as run:
            yield run

    def _is_taken(self, run: ActiveRun) -> bool:
        """Return whether another machine has begun the same job; then this run is superseded."""
        if self.sweep is None or not self.sweep.is_taken(self.identity, run.tracker.run_id):
            return False
        run.record.tags |= {Tag.KIND: SUPERSEDED}
        run.record.status = Status.KILLED
        return True
