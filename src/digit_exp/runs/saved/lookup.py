"""Find a run by id, name, `latest`, `best`, sweep, folder or checkpoint.

A tracked run is looked up in its store, its files below `outputs/` of this folder or among the
store's artifacts. A run without tracking is looked up below `outputs/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.runs import paths
from digit_exp.runs.folder import display_status, record_in, records_below, relative_to_cwd
from digit_exp.runs.saved.found_run import (
    FoundRun,
    RunError,
    in_folder,
    in_store,
    record_of,
)
from digit_exp.tracking.mlflow.queries import RunStore, trial_ids
from digit_exp.tracking.mlflow.uri import Store, locate
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import load_checkpoint

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")
LATEST, BEST = "latest", "best"
MAX_LISTED = 5
"""Runs that an error message lists."""


class Runs:
    """The runs below `outputs` and in a store, which is opened when it is needed."""

    def __init__(self, outputs: Path = OUTPUTS, store: Store | None = None) -> None:
        self._outputs = outputs
        self._store = store

    @classmethod
    def of_folder(cls, folder: Path | None = None, uri: str | None = None) -> Runs:
        """Return the runs of a folder, by default the current one, and of a store, by default its.

        Raises ConfigError if `uri` is not the address of a store.
        """
        folder = folder or Path.cwd()
        return cls(folder / OUTPUTS, locate(uri, folder))

    def without_store(self) -> Runs:
        """Return the same runs without opening the store, if all of them have folders here.

        A FoundRun then has files and metrics, but no page and no `trial`. Spares importing MLflow.
        """
        return self._in_folders([run for run in self._local if run.is_here(paths.LAST_CHECKPOINT)])

    def briefly(self) -> Runs:
        """Return the same runs by their folders alone, if the store has no others.

        Their files may be missing, so that this is for lists.
        """
        return self._in_folders(self._local)

    def _in_folders(self, runs: Sequence[FoundRun]) -> Runs:
        """Return the runs below `outputs` alone, if the store has none besides `runs`."""
        known = trial_ids(self._store) if self._store else None
        is_all = known is not None and known <= {run.run_id for run in runs}
        return Runs(self._outputs) if is_all else self

    def find(self, text: str) -> FoundRun:
        """Return the run that `text` names; for a sweep, its winner.

        Raises RunError if there is none or more than one, and lists candidates; TrackingError if
        the store cannot be read.
        """
        if (found := _at(Path(text))) is not None:
            return found
        if text in (LATEST, BEST):
            if not self.all:
                raise self._missing(text)
            return self.all[0] if text == LATEST else self._best()
        self._refuse_unknown(text)
        matches = self._matching(text)
        named = [run for run in matches if run.name == text and run.status == "FINISHED"]
        if len(matches) > 1 and named:  # the latest is the first
            what = f"of {len(matches)} runs called {text!r} the latest that finished is taken:"
            log.warning("%s", _listed(what, named[:1]))
            return named[0]
        if len(matches) > 1:
            raise RunError(
                _listed(f"{text!r} is ambiguous; use the id of one of these runs:", matches)
            )
        if matches:
            return matches[0]
        return winner(self._jobs(text))

    def find_job(self, text: str) -> FoundRun:
        """Return the run that `text` names; a sweep stands for none of its jobs.

        Raises RunError for a sweep, too.
        """
        found = self.all_matching(text)
        if len(found) > 1 or (found[0].sweep == text and found[0].name != text):
            raise RunError(_listed(f"{text!r} is a sweep; use the ids of its jobs:", found))
        return found[0]

    def all_matching(self, text: str) -> list[FoundRun]:
        """Return all jobs of a sweep, the oldest first, or the one run that `text` names."""
        if _at(Path(text)) or text in (LATEST, BEST):
            return [self.find(text)]
        self._refuse_unknown(text)
        return [self.find(text)] if self._matching(text) else self._jobs(text)[::-1]

    def all_of(self, texts: Iterable[str]) -> list[FoundRun]:
        """Return what `all_matching` does for each of several texts, one after another."""
        return [run for text in texts for run in self.all_matching(text)]

    @cached_property
    def all(self) -> Sequence[FoundRun]:
        """Every run, the latest first."""
        folders = {run.run_id: run.folder for run in self._local if run.run_id is not None}
        tracked = list(self._tracked(folders))
        ids = {run.run_id for run in tracked}
        others = [run for run in self._local if run.run_id not in ids]
        return sorted([*tracked, *others], key=lambda run: run.started, reverse=True)

    @cached_property
    def _local(self) -> Sequence[FoundRun]:
        return [in_folder(folder, record) for folder, record in records_below(self._outputs)]

    def _tracked(self, folders: dict[str, Path | None]) -> Iterator[FoundRun]:
        if self._store is None or (self._store.database and not self._store.database.exists()):
            return
        store = RunStore(self._store)
        for trial in store.trials():
            yield in_store(store, trial, folders.get(trial.run_id))

    def _best(self) -> FoundRun:
        metric = Objective().metric
        scored = [run for run in self.all if run.status == "FINISHED" and metric in run.metrics]
        if not scored:
            raise self._missing(BEST)
        # the first of equals: a reproduced run stays ahead of its copy
        ranked = sorted(scored, key=lambda run: (-run.metrics[metric], run.started))
        best = _first_on_each_data_set(ranked)
        if len(best) > 1:  # accuracies on different images do not compare
            best = [run for run in best if run.is_on_default_data] or best
        if len(best) > 1:
            what = "the runs here are on several data sets. Say the id of one; the best on each:"
            raise RunError(_listed(what, best))
        return best[0]

    def _refuse_unknown(self, text: str) -> None:
        """Refuse a text that no folder has, without MLflow if the store has no other runs."""
        brief = self.briefly()
        if brief is not self and self._local and not brief._matching(text):
            brief._jobs(text)

    def _matching(self, text: str) -> list[FoundRun]:
        """Return the runs with this id, else with this name, else with an id that starts so."""
        tests: list[Callable[[FoundRun], bool]] = [
            lambda run: run.run_id == text,
            lambda run: run.name == text,
            lambda run: bool(text) and (run.run_id or "").startswith(text),
        ]
        found = ([run for run in self.all if test(run)] for test in tests)
        return next((some for some in found if some), [])

    def _jobs(self, text: str) -> list[FoundRun]:
        """Return the jobs of the sweep with this name or folder, the latest first."""
        found = records_below(Path(text), f"*/{paths.RECORD}") if text else []
        jobs = [in_folder(place, record) for place, record in found]
        jobs = jobs or [run for run in self.all if run.sweep == text]
        if not jobs:
            raise self._missing(text)
        return jobs

    def _missing(self, text: str) -> RunError:
        where = [str(self._outputs), *([self._store.address] if self._store else [])]
        if not self.all:
            return RunError(f"there are no runs below {' or in '.join(where)}")
        if text == BEST:
            return RunError(_listed("no run has finished with a validation accuracy:", self.all))
        names = {run.name for run in self.all} | {run.sweep or run.name for run in self.all}
        near = [repr(name) for name in get_close_matches(text, sorted(names), n=3)]
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        what = "is not the id or name of a run, nor a sweep, a folder or a checkpoint"
        return RunError(_listed(f"{text!r} {what}.{meant} The latest runs:", self.all))


def winner(jobs: Sequence[FoundRun]) -> FoundRun:
    """Return the best replicate of the configuration that ranks first."""
    from digit_exp.analysis.ranking import rank  # SciPy: most of a second
    from digit_exp.analysis.replicates import with_most_seeds

    every, sweep = jobs, jobs[0].sweep
    # a job that failed early does not say on which
    different = _first_on_each_data_set([run for run in jobs if Tag.DATA_DIGEST in run.tags])
    if len(different) > 1:
        what = f"the jobs of the sweep {sweep} are on several data sets. Say the id of one:"
        raise RunError(_listed(what, different))
    jobs = [run for run in jobs if run.has_config]  # else it was killed in its first second
    results = [job_result(run, number) for number, run in enumerate(jobs)]
    objective = every[0].tags.get(Tag.OBJECTIVE, Objective().metric)
    if any(Tag.RACE in run.tags for run in every):
        results = with_most_seeds(results, Objective(objective))
    ranking = rank(results, objective)
    best = ranking.winner.group.best(ranking.objective) if ranking.winner else None
    if best is None:
        raise RunError(_listed(f"no job of the sweep {sweep} has come to a result:", every))
    return jobs[best.number]


def job_result(run: FoundRun, number: int) -> JobResult:
    """Return a run as the analysis takes it."""
    status = display_status(run.status, run.tags.get(Tag.STOP_REASON))
    return JobResult(number, run.run_id, status, run.config, run.metrics)


def _first_on_each_data_set(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Return the first run on each data set, in their order."""
    return list({run.tags.get(Tag.DATA_DIGEST): run for run in reversed(runs)}.values())[::-1]


def _at(path: Path) -> FoundRun | None:
    if path.is_file():
        record = record_in(path.parent.parent)
        if record is None:
            return _at_checkpoint(path)
        return replace(in_folder(path.parent.parent, record), checkpoint_file=path)
    return in_folder(path, record_of(path)) if (path / paths.RECORD).exists() else None


def _at_checkpoint(file: Path) -> FoundRun:
    """Return the run of a checkpoint file that is not in the folder of a run."""
    metadata = load_checkpoint(file).config
    return FoundRun(
        run_id=metadata.get("run_id"),
        name=file.name,
        status="UNKNOWN",
        started=datetime.fromtimestamp(file.stat().st_mtime, UTC),
        metrics={},
        tags={},
        checkpoint_file=file,
    )


def _listed(sentence: str, runs: Sequence[FoundRun]) -> str:
    """Return a sentence with a table of the first runs below it."""
    width = max(len(run.name) for run in runs[:MAX_LISTED])
    several = len(_first_on_each_data_set(runs)) > 1
    lines = [
        f"  {(run.run_id or '')[:12]:<12}  {run.name:<{width}}"
        f"  {_accuracy(run):>7}  {run.status.lower():<8}  {run.started.astimezone():%Y-%m-%d %H:%M}"
        + (f"  on {run.data}" if several else "")
        + ("" if run.run_id or run.folder is None else f"  {relative_to_cwd(run.folder)}")
        for run in runs[:MAX_LISTED]
    ]
    more = [f"  ... and {len(runs) - MAX_LISTED} more"] if len(runs) > MAX_LISTED else []
    return "\n".join([sentence, *lines, *more])


def _accuracy(run: FoundRun) -> str:
    objective = Objective()
    value = run.metrics.get(objective.metric)
    return "" if value is None else objective.text(value)
