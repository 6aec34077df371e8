"""Lists of runs: filtered, sorted, and the jobs of each sweep taken together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from digit_exp.analysis.objective import Objective
from digit_exp.registry import ConfigError, did_you_mean
from digit_exp.runs.folder import display_status, relative_to_cwd
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.tracking.tags import Tag

if TYPE_CHECKING:
    import pandas as pd

STARTED = "started"
"""What runs are sorted by unless a metric is named."""


@dataclass(frozen=True)
class SweepSummary:
    """The jobs of one sweep."""

    name: str
    jobs: Sequence[FoundRun]

    @property
    def objective(self) -> Objective:
        """What its jobs are compared by."""
        return Objective(self.jobs[0].tags.get(Tag.OBJECTIVE, Objective().metric))

    @property
    def finished(self) -> int:
        """How many jobs have finished."""
        return sum(run.status == "FINISHED" for run in self.jobs)

    @property
    def best(self) -> FoundRun | None:
        """The finished job with the best value of the objective, replicates not averaged."""
        finished = [run for run in self.jobs if run.status == "FINISHED"]
        scored = [run for run in finished if self.objective.metric in run.metrics]
        return sort(scored, self.objective.metric)[0] if scored else None

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `list --json` prints."""
        return {
            "name": self.name,
            "jobs": len(self.jobs),
            "finished": self.finished,
            "started": min(run.started for run in self.jobs).isoformat(),
            "objective": self.objective.metric,
            "best": None if self.best is None else as_json(self.best),
        }


def select(
    runs: Iterable[FoundRun], sweep: str | None, statuses: Collection[str], data: str | None
) -> list[FoundRun]:
    """Return the runs of a sweep, with one of these words of `status`, on a data set.

    None, or no word, means all.
    """
    return [
        run
        for run in runs
        if sweep in (None, run.sweep)
        and (not statuses or status(run) in statuses)
        and (data is None or data == data_name(run))
    ]


def sweeps(runs: Iterable[FoundRun]) -> list[SweepSummary]:
    """Return the sweeps that these runs are jobs of, in the order of the runs."""
    jobs: dict[str, list[FoundRun]] = {}
    for run in runs:
        if run.sweep is not None:
            jobs.setdefault(run.sweep, []).append(run)
    return [SweepSummary(name, found) for name, found in jobs.items()]


def sort(runs: Sequence[FoundRun], key: str) -> list[FoundRun]:
    """Return the latest first, or of a metric the best; runs without the metric come last.

    Raises ConfigError if no run has a metric of that name.
    """
    if key == STARTED:
        return sorted(runs, key=lambda run: run.started, reverse=True)
    known = {name for run in runs for name in run.metrics}
    if runs and key not in known:
        names = sorted({STARTED, *known})
        message = f"no run has the metric {key!r}.{did_you_mean(key, names)}"
        raise ConfigError.at("--sort", f"{message} Known: {', '.join(names)}")
    objective = Objective(key)

    def loss(run: FoundRun) -> float:
        value = run.metrics.get(key, math.nan)
        return objective.loss(value) if math.isfinite(value) else math.inf

    return sorted(runs, key=lambda run: (loss(run), run.started))


def status(run: FoundRun) -> str:
    """Return running, finished, failed, killed, diverged or pruned."""
    return display_status(run.status, run.tags.get(Tag.STOP_REASON)).lower()


def data_name(run: FoundRun) -> str | None:
    """Return the name of the data set, if the run has left it anywhere."""
    if (name := run.tags.get(Tag.DATA)) is not None:
        return name
    written = recorded_config(run).get("data")
    return None if written is None else str(written)


def as_json(run: FoundRun) -> dict[str, Any]:
    """Return the shape that every `--json` uses for a run."""
    return {
        "id": run.run_id,
        "name": run.name,
        "status": status(run),
        "started": run.started.isoformat(),
        "data": data_name(run),
        "sweep": run.sweep,
        "folder": None if run.folder is None else str(relative_to_cwd(run.folder)),
        "metrics": dict(run.metrics),
    }


def table(uri: str | None = None) -> pd.DataFrame:
    """Return every run, the latest first, as `as_table` does.

    Runs are those below `outputs/` of this folder and those in the MLflow store, at `uri` or where
    the command line looks for it.
    """
    return as_table(Runs.of_folder(uri=uri).briefly().all)


def as_table(runs: Sequence[FoundRun]) -> pd.DataFrame:
    """Return a row for each run, with a column for each metric and each key of a configuration."""
    import pandas as pd

    rows = []
    for run in runs:
        row = {**as_json(run), "started": run.started}
        rows.append({**row, **row.pop("metrics"), **recorded_config(run)})
    return pd.DataFrame(rows)


def recorded_config(run: FoundRun) -> Mapping[str, object]:
    """Return every value by its key, as it was written; nothing if the file is lost or damaged."""
    try:
        return run.config
    except (RunError, OSError, ValueError):
        return {}
