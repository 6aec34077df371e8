"""Sections about configurations: ranking, replicates, training time, jobs that did not finish."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.report.section import Section
from digit_exp.analysis.report.tables import (
    head,
    ranking_table,
    replicates_table,
    scale,
    unfinished_table,
)
from digit_exp.analysis.statistics import pareto_front
from digit_exp.plots import sweeps


def ranking(found: Ranking) -> Iterator[Section]:
    """Yield the ranking of the configurations."""
    diverged = any(place.group.count("DIVERGED") for place in found.places)
    lines = ["Configurations of which a job diverged come after all others."] if diverged else []
    yield Section("ranking", "Ranking", lines, tables=[ranking_table(found)])


def replicates(found: Ranking) -> Iterator[Section]:
    """Yield the score of every job, a column for each seed."""
    if max((len(place.group.results) for place in found.places), default=0) < 2:
        line = (
            "Each configuration was trained once. How much of a difference is due to the seed is"
            " not known; repeat the sweep with seed=1,2,3 to see."
        )
        yield Section("replicates", "Replicates", [line])
        return
    line = f"{found.objective.label.capitalize()} of every job, a column for each seed."
    yield Section("replicates", "Replicates", [line], tables=[replicates_table(found)])


def trade_off(found: Ranking) -> Iterator[Section]:
    """Yield the objective against training time, with the Pareto front."""
    goal, timed = found.objective, list(_timed(found))
    costs = [seconds for *_, seconds in timed]
    scores = [score for _, score, _ in timed]
    front = pareto_front(costs, [goal.loss(score) for score in scores])
    ranks = [position + 1 for position, *_ in timed]
    figure = partial(sweeps.trade_off, costs, scores, ranks, front, scale(goal))
    rows = [
        head(found, timed[at][0])
        | {goal.label: goal.text(scores[at]), "training time (s)": f"{costs[at]:.1f}"}
        for at in front
    ]
    line = (
        "Means of the jobs that finished. The table lists the Pareto front, the fastest first: a"
        " configuration that is not on it takes longer than one that is, and is no better."
    )
    title = f"{goal.label.capitalize()} against training time"
    tables = [pd.DataFrame(rows)] if rows else []
    yield Section("time", title, [line] if rows else [], figure, tables)


def _timed(ranking: Ranking) -> Iterator[tuple[int, float, float]]:
    """Yield position in the ranking, mean score and mean seconds of what finished."""
    for position, place in enumerate(ranking.places):
        finished = place.group.only("FINISHED")
        score = finished.summary(ranking.objective.metric)
        seconds = finished.summary("training_seconds")
        if score and seconds:
            yield position, score.mean, seconds.mean


def unfinished(found: Ranking) -> Iterator[Section]:
    """Yield the jobs that did not finish, and why."""
    table, title = unfinished_table(found), "Jobs that did not finish"
    if table.empty:
        yield Section("unfinished", title, ["None: all jobs finished."])
    else:
        yield Section("unfinished", title, tables=[table])
