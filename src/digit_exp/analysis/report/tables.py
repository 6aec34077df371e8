"""The tables of a sweep, as DataFrames of text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from digit_exp.analysis.job_result import DROPPED, JobResult
from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.ranking import Place, Ranking
from digit_exp.analysis.replicates import Config, Group
from digit_exp.analysis.report.section import Links
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.parts.values import text

SEEN = Objective("test_acc")

UNFINISHED = ("DIVERGED", "PRUNED", "FAILED", "KILLED", DROPPED)
"""The statuses of jobs that did not finish."""

RESERVED = {"#", "n", "runs", "std", "test", "job", "status", "reason", "value", "jobs"}
"""Titles of a table's own columns, which no parameter may take."""


def short_names(parameters: Sequence[str]) -> list[str]:
    """Return the last word of each parameter where that says which one it is.

    >>> short_names(["optimizer.lr", "schedule.mode", "trainer.early_stopping.mode", "noise.std"])
    ['lr', 'schedule.mode', 'trainer.early_stopping.mode', 'noise.std']
    """
    words = [parameter.rpartition(".")[2] for parameter in parameters]
    return [
        word if words.count(word) == 1 and word not in RESERVED else parameter
        for word, parameter in zip(words, parameters, strict=True)
    ]


def scale(objective: Objective) -> Scale:
    """Return how figures draw an objective."""
    return Scale(objective.label, objective.is_share)


def label(config: Config, parameters: Sequence[str]) -> str:
    """Return a configuration in one line: `lr=0.001  batch_size=32`."""
    names = zip(short_names(parameters), parameters, strict=True)
    return "  ".join(f"{name}={text(config[key])}" for name, key in names if key in config)


def ranking_table(ranking: Ranking) -> pd.DataFrame:
    """Return every configuration, best first, and how it compares with the winner."""
    goal = ranking.objective
    rows = [
        {
            **head(ranking, position),
            goal.label: goal.text(place.summary.mean),
            "std": goal.spread(place.summary.std),
            "95 % interval": goal.interval(place.summary),
            "n": str(place.summary.n),
            SEEN.label: SEEN.text(place.group.only("FINISHED").summary(SEEN.metric).mean),
            "behind #1": _behind(place, ranking),
            "p (Holm)": p_text(place.comparison.corrected) if place.comparison else NO_VALUE,
            "compared with #1": _verdict(place, ranking),
        }
        for position, place in enumerate(ranking.places)
    ]
    table = pd.DataFrame(rows)
    links = [_links(place.group) for place in ranking.places]
    if any(cell.items for cell in links):
        table.insert(1, "runs", pd.Series(links, dtype=object))
    return table


def _links(group: Group) -> Links:
    """Return links to the folder of each run (its seed) and to its page in MLflow (an arrow)."""
    items: list[tuple[str, Path | str]] = []
    for job in group.results:
        if job.folder is not None:
            items.append((text(job.config.get("seed")), job.folder))
        if job.page is not None:
            items.append(("↗", job.page))
    return Links(items)


def short_ranking(ranking: Ranking) -> pd.DataFrame:
    """Return the ranking with the columns that a terminal has room for."""
    if (table := ranking_table(ranking).rename(columns={SEEN.label: "test"})).empty:
        return table
    write, summaries = ranking.objective.spread, [place.summary for place in ranking.places]
    margins = [write((found.high - found.low) / 2) for found in summaries]
    table.insert(list(table.columns).index("n"), "± 95 %", margins)
    left_out = ["runs", "std", "95 % interval", "behind #1", "p (Holm)"]
    return table.drop(columns=left_out, errors="ignore")


def replicates_table(ranking: Ranking) -> pd.DataFrame:
    """Return the score of every job, a column for each seed."""
    seeds = sorted({job.config.get("seed") for job in ranking.results}, key=_seed_order)
    rows = [
        head(ranking, position)
        | {f"seed {seed}": _replicate(place.group, seed, ranking.objective) for seed in seeds}
        for position, place in enumerate(ranking.places)
    ]
    return pd.DataFrame(rows)


def unfinished_table(ranking: Ranking) -> pd.DataFrame:
    """Return the jobs that did not finish, or have no score, and why."""
    rows = [
        {
            "job": str(job.number),
            **_values(job.config, ranking.parameters),
            "seed": text(job.config.get("seed")),
            "status": job.status,
            "reason": _reason(job, ranking.objective),
        }
        for job in ranking.results
        if job.status != "FINISHED" or ranking.objective.score(job) is None
    ]
    return pd.DataFrame(rows)


def head(ranking: Ranking, position: int) -> dict[str, str]:
    """Return the rank of a configuration and its parameters."""
    place = ranking.places[position]
    rank = str(position + 1) if place.summary else NO_VALUE
    return {"#": rank, **_values(place.group.parameters, ranking.parameters)}


def _verdict(place: Place, ranking: Ranking) -> str:
    """Return the outcome of the test, and how many jobs did not finish."""
    words = []
    if place is ranking.winner:
        words.append("the winner")
    elif place.comparison is not None:
        words.append(place.comparison.verdict)
    elif place.summary:
        words.append(f"not compared: {place.not_compared}")
    counts = [(place.group.count(status), status.lower()) for status in UNFINISHED]
    words += [f"{count} {status}" for count, status in counts if count]
    return ", ".join(words)


def p_text(p: float) -> str:
    """Write a p-value.

    >>> p_text(0.00004), p_text(0.0312), p_text(1.0)
    ('< 0.001', '0.031', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _values(config: Config, parameters: Sequence[str]) -> Mapping[str, str]:
    names = zip(short_names(parameters), parameters, strict=True)
    return {name: text(config[key]) if key in config else NO_VALUE for name, key in names}


def _behind(place: Place, ranking: Ranking) -> str:
    if place is ranking.winner:
        return NO_VALUE
    first, goal = ranking.places[0].summary, ranking.objective
    return goal.spread(goal.loss(place.summary.mean) - goal.loss(first.mean))


def _replicate(group: Group, seed: object, objective: Objective) -> str:
    scores = group.scores(objective)
    if seed in scores:
        return objective.text(scores[seed])
    found = [job.status.lower() for job in group.results if job.config.get("seed") == seed]
    return found[-1] if found else NO_VALUE


def _reason(job: JobResult, objective: Objective) -> str:
    if job.reason:
        return job.reason
    if job.status != "FINISHED":
        return NO_VALUE
    value = job.metrics.get(objective.metric)
    return f"{objective.metric} {'was not measured' if value is None else f'is {value}'}"


def _seed_order(seed: object) -> tuple[bool, float, str]:
    is_number = isinstance(seed, int | float)
    return not is_number, float(seed) if isinstance(seed, int | float) else 0.0, str(seed)
