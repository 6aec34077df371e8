"""Runs and sweeps as tables and figures for papers. The table is `analysis/export.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.analysis.export import FIGURES, require_format, write_table
from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.report.tables import label
from digit_exp.registry import ConfigError
from digit_exp.runs.saved import compare
from digit_exp.runs.saved.found_run import FoundRun, RunError

if TYPE_CHECKING:
    from digit_exp.plots.parts.canvas import Drawing

LOSS = "val_loss"
MOST_CURVES = 5
"""Configurations whose curves are drawn, the best."""


def ranking_of(runs: Sequence[FoundRun], objective: str | None = None) -> Ranking:
    """Return runs ranked by their configurations; raises RunError if none has a result."""
    found = compare.ranking_of(runs, objective)
    if found.winner is None:
        raise RunError(f"none of the {len(runs)} runs has {found.objective.metric}")
    return found


def export(ranking: Ranking, to: Path | None, figures: Path | None) -> list[Path]:
    """Write a table or a figure to `to`, all figures into `figures`, and return the files."""
    from digit_exp.plots.publication import write

    files = []
    if to is not None:
        require_format(to)
    drawings = {} if figures is None else {"scores": _scores(ranking), "curves": _curves(ranking)}
    if to is not None:
        is_figure = to.suffix.lower() in FIGURES
        files.append(write(_scores(ranking), to) if is_figure else write_table(ranking, to))
    if figures is not None:
        for name, make in drawings.items():
            files += [write(make, figures / f"{name}{kind}") for kind in FIGURES]
    return files


def _scores(ranking: Ranking) -> Drawing:
    from digit_exp.plots.publication import scores

    goal, places = ranking.objective, ranking.with_numbers
    factor = 100 if goal.is_share else 1
    found = [place.summary for place in places if place.summary]
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
    if not any(LOSS in row for histories in runs.values() for one in histories for row in one):
        message = f"no curves can be drawn: neither here nor in the store a run has {LOSS} by epoch"
        raise ConfigError.at("--figures", f"{message}. Write the scores: --to FILE.pdf")
    return lambda: curves(runs, LOSS, "validation loss")
