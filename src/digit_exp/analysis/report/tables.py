"""What the tables of a sweep say: text in rows and columns, for whatever writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digit_exp.analysis.objective import NOTHING, Objective
from digit_exp.analysis.ranking import Place, Ranking
from digit_exp.analysis.replicates import Config, Group
from digit_exp.analysis.results import JobResult
from digit_exp.plots.values import numbers, text

SEEN = Objective("test_acc")

UNFINISHED = ("DIVERGED", "PRUNED", "FAILED", "KILLED")
"""How a job can end that did not finish."""


@dataclass(frozen=True)
class Column:
    """The head of a column. Numbers stand to the right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """Text in cells; the first row may be marked as the best."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    marks_first: bool = False


def short_names(parameters: Sequence[str]) -> list[str]:
    """Return the last word of each parameter where that says which one it is.

    >>> short_names(["optimizer.lr", "schedule.mode", "trainer.early_stopping.mode"])
    ['lr', 'schedule.mode', 'trainer.early_stopping.mode']
    """
    words = [parameter.rpartition(".")[2] for parameter in parameters]
    return [
        word if words.count(word) == 1 else parameter
        for word, parameter in zip(words, parameters, strict=True)
    ]


def label(group: Group, parameters: Sequence[str]) -> str:
    """Return a configuration in one line: `lr=0.001  batch_size=32`."""
    names = zip(short_names(parameters), parameters, strict=True)
    return "  ".join(
        f"{name}={text(group.parameters[key])}" for name, key in names if key in group.parameters
    )


def ranking_table(ranking: Ranking) -> Table:
    """Return every configuration, best first, and how it compares with the winner."""
    columns = [
        Column("#", is_number=True),
        *parameter_columns(ranking),
        Column(ranking.objective.label, is_number=True),
        Column("std", is_number=True),
        Column("95 % interval", is_number=True),
        Column("n", is_number=True),
        Column(SEEN.label, is_number=True),
        Column("behind #1", is_number=True),
        Column("p (Holm)", is_number=True),
        Column("compared with #1"),
    ]
    rows = [
        [
            *head(ranking, position),
            *_numbers(place, ranking.objective),
            seen(place),
            *_compared(place, ranking),
        ]
        for position, place in enumerate(ranking.places)
    ]
    return Table(columns, rows, marks_first=ranking.winner is not None)


def replicates_table(ranking: Ranking) -> Table:
    """Return the score of every job, a column for each seed."""
    seeds = sorted({job.config.get("seed") for job in ranking.results}, key=_seed_order)
    columns = [
        Column("#", is_number=True),
        *parameter_columns(ranking),
        *(Column(f"seed {seed}", is_number=True) for seed in seeds),
    ]
    rows = [
        [
            *head(ranking, position),
            *(_replicate(place.group, seed, ranking.objective) for seed in seeds),
        ]
        for position, place in enumerate(ranking.places)
    ]
    return Table(columns, rows, marks_first=ranking.winner is not None)


def unfinished_table(ranking: Ranking) -> Table:
    """Return the jobs that did not finish, or came to no number, and why."""
    columns = [
        Column("job", is_number=True),
        *parameter_columns(ranking),
        Column("seed", is_number=True),
        Column("status"),
        Column("reason"),
    ]
    rows = [
        [
            str(job.number),
            *_values(job.config, ranking.parameters),
            text(job.config.get("seed")),
            job.status,
            _reason(job, ranking.objective),
        ]
        for job in ranking.results
        if job.status != "FINISHED" or ranking.objective.score(job) is None
    ]
    return Table(columns, rows)


def parameter_columns(ranking: Ranking) -> list[Column]:
    """Return a column for each parameter that differs."""
    columns = []
    for name, key in zip(short_names(ranking.parameters), ranking.parameters, strict=True):
        values = [place.group.parameters.get(key) for place in ranking.places]
        known = [value for value in values if value is not None]
        columns.append(Column(name, is_number=numbers(known) is not None))
    return columns


def head(ranking: Ranking, position: int) -> list[str]:
    """Return the rank of a configuration and its parameters."""
    place = ranking.places[position]
    rank = str(position + 1) if place.summary else NOTHING
    return [rank, *_values(place.group.parameters, ranking.parameters)]


def verdict(place: Place, ranking: Ranking) -> str:
    """Say what is shown about a configuration, and which of its jobs are not like the others."""
    words = []
    if place is ranking.winner:
        words.append("the winner")
    elif place.comparison is not None:
        words.append(place.comparison.verdict)
    elif place.summary is not None:
        words.append(f"not compared: {place.not_compared}")
    counts = [(place.group.count(status), status.lower()) for status in UNFINISHED]
    words += [f"{count} {status}" for count, status in counts if count]
    return ", ".join(words)


def seen(place: Place) -> str:
    """Write the test accuracy of a configuration, which has no part in its rank."""
    found = place.group.only("FINISHED").summary(SEEN.metric)
    return NOTHING if found is None else SEEN.text(found.mean)


def p_text(p: float) -> str:
    """Write a p-value.

    >>> p_text(0.00004), p_text(0.0312), p_text(1.0)
    ('< 0.001', '0.031', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _values(config: Config, parameters: Sequence[str]) -> list[str]:
    return [text(config[key]) if key in config else NOTHING for key in parameters]


def _numbers(place: Place, objective: Objective) -> list[str]:
    summary = place.summary
    if summary is None:
        return [NOTHING, NOTHING, NOTHING, "0"]
    std = NOTHING if summary.n == 1 else objective.spread(summary.std)
    return [objective.text(summary.mean), std, objective.interval(summary), str(summary.n)]


def _compared(place: Place, ranking: Ranking) -> list[str]:
    winner = ranking.winner
    if place is winner or winner is None or place.summary is None or winner.summary is None:
        return [NOTHING, NOTHING, verdict(place, ranking)]
    behind = ranking.objective.loss(place.summary.mean) - ranking.objective.loss(
        winner.summary.mean
    )
    made = place.comparison
    p = NOTHING if made is None else p_text(made.corrected)
    return [ranking.objective.spread(behind), p, verdict(place, ranking)]


def _replicate(group: Group, seed: object, objective: Objective) -> str:
    scores = group.scores(objective)
    if seed in scores:
        return objective.text(scores[seed])
    found = [job.status.lower() for job in group.results if job.config.get("seed") == seed]
    return found[-1] if found else NOTHING


def _reason(job: JobResult, objective: Objective) -> str:
    if job.reason:
        return job.reason
    if job.status != "FINISHED":
        return NOTHING
    value = objective.measured(job)
    return f"{objective.metric} {'was not measured' if value is None else f'is {value}'}"


def _seed_order(seed: object) -> tuple[bool, float, str]:
    is_number = isinstance(seed, int | float)
    return not is_number, float(seed) if isinstance(seed, int | float) else 0.0, str(seed)
