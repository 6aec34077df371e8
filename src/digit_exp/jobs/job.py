"""A function that Hydra calls, made a job: `@digit_exp.job`, and `digit_exp.report` inside it."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from digit_exp.analysis.job_result import DROPPED, JobResult
from digit_exp.atomic import append_lines
from digit_exp.jobs.identity import code_of, identity
from digit_exp.jobs.record import (
    METRICS,
    VALUE,
    JobRecord,
    flattened,
    job_folders,
    read_record,
    read_reports,
    results_in,
    until,
)
from digit_exp.jobs.settings import RACE, objective_of, pruner_of
from digit_exp.pruning.pruners import Competition, History, Unpruned, number_of

Task = Callable[[DictConfig], float | None]


class Pruned(Exception):
    """Ends a job that falls behind the others; `digit_exp.job` catches it."""


class JobIsRunning(RuntimeError):
    """Another process is at work on the same job."""


@dataclass
class _Open:
    """The job that runs in this context."""

    folder: Path
    metric: str = VALUE
    rises: bool = False
    competition: Competition | None = None
    reports: dict[int, dict[str, float]] = field(default_factory=dict)

    def history(self) -> dict[int, float]:
        """Return the metric that decides, by step."""
        return _values(self.reports, self.metric)

    def best(self) -> float | None:
        """Return the best value of that metric."""
        found = [value for value in self.history().values() if math.isfinite(value)]
        return (max(found) if self.rises else min(found)) if found else None


_current: ContextVar[_Open | None] = ContextVar("job", default=None)


def job(task: Task) -> Task:
    """Make a function under `@hydra.main` a job of sweeps.

    In a sweep, a job that has ended before is not run again: the same configuration and code have
    the same score. That is what the function returns, or else the best value that it reported.
    A single run, or a call without Hydra, just runs.
    """
    code = code_of(task)  # here, for workers get the function without its file

    @wraps(task)
    def run(config: DictConfig | None = None) -> float | None:
        if config is None:
            raise TypeError("@digit_exp.job stands below @hydra.main, not above it")
        if not HydraConfig.initialized():
            return task(config)
        hydra = HydraConfig.get()
        values = flattened(_plain(config))
        is_swept = hydra.mode == RunMode.MULTIRUN
        record = JobRecord(hydra.job.num if is_swept else 0, values, code=code)
        if not is_swept:
            return _run(task, config, _Open(Path(hydra.runtime.output_dir)), record)
        folder = Path(hydra.runtime.cwd) / hydra.sweep.dir / identity(values, code)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", blocking=False):
                return _in_sweep(task, config, folder, record)
        except Timeout:
            raise JobIsRunning(f"the job in {folder} is running in another process") from None

    return run


def report(metrics: Mapping[str, float] | float, step: int) -> None:
    """Note metrics of the job at a step, 1 or more; a number alone is the metric `value`.

    Ends the job, by an exception that `digit_exp.job` catches, if a pruner finds it behind.
    """
    values = dict(metrics) if isinstance(metrics, Mapping) else {VALUE: metrics}
    values = {key: float(value) for key, value in values.items()}
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise ValueError(f"report(metrics, step): step must be a whole number from 1, got {step!r}")
    current = _current.get()
    if current is None:
        return
    current.reports = {**until(step, current.reports), step: values}
    finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
    append_lines(current.folder / METRICS, json.dumps({"step": step, **finite}) + "\n")
    if current.competition is not None and current.metric in values:
        missed = current.competition.missed(current.history())
        if missed is not None:
            raise Pruned(f"behind {missed:.6g} at step {step}")


def job_folder() -> Path:
    """Return the folder of the job, the same whenever the job is started again in its sweep.

    What a job keeps there, it finds again after it was killed.
    """
    current = _current.get()
    return Path() if current is None else current.folder


def _in_sweep(task: Task, config: DictConfig, folder: Path, record: JobRecord) -> float | None:
    """Return the score that is known, or run the job; None if a race drops it."""
    sweeper, known = _plain(HydraConfig.get().sweeper), read_record(folder)
    if known is not None and known.is_over:
        return known.score
    if known is None or known.status == DROPPED:  # one that was begun goes on
        record.reason = _reason_to_drop(folder, record, sweeper)
        if record.reason is not None:
            record.status = DROPPED
            record.write(folder)
            return None
    return _run(task, config, _opened(folder, sweeper), record)


def _opened(folder: Path, sweeper: Mapping[str, Any]) -> _Open:
    """Return a job with what the sweeper says of metric and pruner; any other says nothing."""
    found = _Open(folder, sweeper.get("metric", VALUE), sweeper.get("direction") == "maximize")
    pruner = pruner_of(sweeper.get("pruner") or {})
    if not isinstance(pruner, Unpruned):
        rivals = partial(_rivals, folder, found.metric)
        found.competition = Competition(pruner, rivals, number_of(folder.name), found.rises)
    return found


def _rivals(folder: Path, metric: str) -> dict[int, History]:
    """Return what the other jobs of the sweep have reported."""
    others = (other for other in job_folders(folder.parent) if other != folder)
    return {number_of(other.name): _values(read_reports(other), metric) for other in others}


def _values(reports: Mapping[int, Mapping[str, float]], metric: str) -> dict[int, float]:
    return {step: metrics[metric] for step, metrics in reports.items() if metric in metrics}


def _reason_to_drop(folder: Path, record: JobRecord, sweeper: Mapping[str, Any]) -> str | None:
    """Return why a race does not run the job; None if it does, or if there is no race."""
    if not sweeper.get("race"):
        return None
    from digit_exp.sweeps.race import reason_to_drop  # SciPy

    race = json.loads((folder.parent / RACE).read_text(encoding="utf-8"))
    if record.config.get("seed") == race["seeds"][0]:
        return None
    objective = objective_of(sweeper["metric"], sweeper["direction"])
    mine = JobResult(record.number, None, "PLANNED", record.config, {})
    others = results_in(folder.parent)
    return reason_to_drop(others, mine, race["seeds"], objective, race["candidates"])


def _run(task: Task, config: DictConfig, opened: _Open, record: JobRecord) -> float | None:
    """Run the task and keep how it ended."""
    started = time.perf_counter()
    opened.reports |= read_reports(opened.folder)
    record.write(opened.folder)
    try:
        with _as_current(opened):
            value = task(config)
        record.status = "FINISHED"
        record.score = opened.best()
        if isinstance(value, int | float):
            record.score = float(value) if math.isfinite(value) else None
    except Pruned as pruned:
        record.status, record.reason, record.score = "PRUNED", str(pruned), opened.best()
    except KeyboardInterrupt:
        record.status = "KILLED"
        raise
    except Exception as error:
        record.status, record.reason = "FAILED", f"{type(error).__name__}: {error}"
        raise
    finally:
        record.seconds = time.perf_counter() - started
        record.write(opened.folder)
    return record.score


@contextmanager
def _as_current(opened: _Open) -> Iterator[None]:
    token = _current.set(opened)
    try:
        yield
    finally:
        _current.reset(token)


def _plain(config: DictConfig) -> dict[str, Any]:
    found: Any = OmegaConf.to_container(config, resolve=True)
    return dict(found)
