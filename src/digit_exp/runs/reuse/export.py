"""Runs and sweeps as tables and figures for papers. The table is `analysis/export.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.analysis.export import FIGURES, require_format, write_table
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.ranking import Ranking, rank
from digit_exp.analysis.report.tables import label
from digit_exp.analysis.results import JobResult
from digit_exp.arrays import Metrics
from digit_exp.runs.folder import VAL_PREDICTIONS_FILE
from digit_exp.runs.reuse.found_run import FoundRun, RunError
from digit_exp.runs.reuse.lookup import job_result
from digit_exp.tracking.mlflow.queries import OBJECTIVE
from digit_exp.training.checkpoint import CheckpointError

if TYPE_CHECKING:
    from digit_exp.plots.parts.canvas import Drawing

MOST_CURVES = 5
"""Configurations whose curves are drawn, the best."""


def ranking_of(runs: Sequence[FoundRun], objective: str | None = None) -> Ranking:
    """Return runs ranked by their configurations; raises RunError if none has a result."""
    metric = objective or runs[0].tags.get(OBJECTIVE) or Objective().metric
    results = [_result(run, number) for number, run in enumerate(runs) if run.has_config]
    found = rank(results, metric)
    if found.winner is None:
        raise RunError(f"none of the {len(runs)} runs has {metric}")
    return found


def export(ranking: Ranking, to: Path | None, figures: Path | None) -> list[Path]:
    """Write a table or a figure to `to`, all figures into `figures`, and return the files."""
    if to is not None:
        require_format(to)
    return list(_written(ranking, to, figures))


def _written(ranking: Ranking, to: Path | None, figures: Path | None) -> Iterator[Path]:
    from digit_exp.plots.publication import write

    if to is not None and to.suffix.lower() in FIGURES:
        yield write(_scores(ranking), to)
    elif to is not None:
        yield write_table(ranking, to)
    if figures is not None:
        for name, make in (("scores", _scores(ranking)), ("curves", _curves(ranking))):
            for kind in FIGURES:
                yield write(make, figures / f"{name}{kind}")


def _scores(ranking: Ranking) -> Drawing:
    from digit_exp.plots.publication import scores

    goal, places = ranking.objective, ranking.with_numbers
    factor = 100 if goal.is_share else 1
    found = [place.summary for place in places if place.summary is not None]
    means = [factor * each.mean for each in found]
    errors = [(factor * (s.mean - s.low), factor * (s.high - s.mean)) for s in found]
    labels = [label(place.group.parameters, ranking.parameters) or "all" for place in places]
    unit = f"{goal.label} (%)" if goal.is_share else goal.label
    return lambda: scores(labels, means, errors, unit)


def _curves(ranking: Ranking) -> Drawing:
    from digit_exp.plots.publication import curves

    runs = {
        label(place.group.parameters, ranking.parameters) or "all": [
            history for job in place.group.results if (history := job.history())
        ]
        for place in ranking.with_numbers[:MOST_CURVES]
    }
    return lambda: curves(runs, "val_loss", "validation loss")


def _result(run: FoundRun, number: int) -> JobResult:
    found = job_result(run, number)
    return replace(found, history=lambda: _history(run), predictions=lambda: _predictions(run))


def _history(run: FoundRun) -> Sequence[Metrics]:
    try:
        return run.history()
    except (RunError, CheckpointError):
        return ()


def _predictions(run: FoundRun) -> Path | None:
    try:
        return run.file(Path(VAL_PREDICTIONS_FILE))
    except RunError:
        return None
