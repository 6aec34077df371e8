"""The jobs of a sweep of any application, ranked: a table, and the same as JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.ranking import Ranking, rank
from digit_exp.jobs.record import VALUE, results_in


def ranking_in(sweep: Path, objective: Objective) -> Ranking | None:
    """Rank the jobs in the folder of a sweep; None if there are none."""
    results = results_in(sweep)
    return rank(results, VALUE, goal=objective) if results else None


def lines(ranking: Ranking, rows: int = 20) -> str:
    """Return the best configurations as a table for a terminal."""
    from digit_exp.analysis.report.tables import short_ranking  # pandas
    from digit_exp.analysis.report.terminal import text_table

    table = short_ranking(ranking).drop(columns="test", errors="ignore")
    text = text_table(table.head(rows))
    more = len(table) - rows
    return f"{text}\n... and {more} more" if more > 0 else text


def plain(ranking: Ranking) -> dict[str, Any]:
    """Return the ranking as plain values."""
    return {
        "metric": ranking.objective.label,
        "direction": "maximize" if ranking.objective.rises else "minimize",
        "parameters": ranking.parameters,
        "configurations": [
            {
                "parameters": dict(place.group.parameters),
                "mean": place.summary.mean if place.summary else None,
                "n": place.summary.n if place.summary else 0,
                "verdict": place.comparison.verdict if place.comparison else None,
                "jobs": [_job(job.folder, job.status, job.metrics) for job in place.group.results],
            }
            for place in ranking.places
        ],
    }


def _job(folder: Path | None, status: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    return {"folder": str(folder), "status": status, VALUE: metrics.get(VALUE)}
