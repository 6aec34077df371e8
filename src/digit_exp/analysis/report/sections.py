"""What the report of a sweep says, section by section, whatever writes it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import pandas as pd

from digit_exp.analysis.effects import Level, main_effect, pair_means, values_of
from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.replicates import Group
from digit_exp.analysis.report.findings import method
from digit_exp.analysis.report.tables import (
    head,
    label,
    ranking_table,
    replicates_table,
    unfinished_table,
)
from digit_exp.analysis.statistics import pareto_front
from digit_exp.plots import pairs, sweeps
from digit_exp.plots.canvas import Drawing
from digit_exp.plots.values import labels_of, text

TOP = 5
"""Configurations whose curves are drawn."""

MOST_LEVELS = 12
"""Values of a parameter that are listed; of more, those of a search, the figure is enough."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    key: str
    title: str
    text: Sequence[str] = ()
    figure: Drawing | None = None
    """Draws it: what cannot be drawn costs the picture and not the report."""
    tables: Sequence[pd.DataFrame] = ()


def sections(ranking: Ranking) -> Iterator[Section]:
    """Yield the sections in the order in which a person asks for them."""
    yield Section("ranking", "Ranking", _ranking_text(ranking), tables=[ranking_table(ranking)])
    yield _replicates(ranking)
    if ranking.parameters:
        yield _main_effects(ranking)
    if len(ranking.parameters) > 1:
        yield _pairs(ranking)
    yield _curves(ranking)
    yield _trade_off(ranking)
    yield _unfinished(ranking)
    yield Section("method", "How this was computed", method(ranking))


def _ranking_text(ranking: Ranking) -> list[str]:
    """Say what the order of the table alone does not."""
    if any(place.group.count("DIVERGED") for place in ranking.places):
        return ["Configurations of which a job diverged come after all others."]
    return []


def _replicates(ranking: Ranking) -> Section:
    most = max((len(place.group.results) for place in ranking.places), default=0)
    title = "Replicates"
    if most < 2:
        return Section(
            "replicates",
            title,
            ["Each configuration ran once. How much of a difference is due to the seed is unknown;"
             " repeat the sweep with seed=1,2,3 to see."],
        )  # fmt: skip
    lines = [f"{ranking.objective.label.capitalize()} of every job: the same but for the seed."]
    return Section("replicates", title, lines, tables=[replicates_table(ranking)])


def _main_effects(ranking: Ranking) -> Section:
    levels = {
        key: main_effect(_groups(ranking), key, ranking.objective) for key in ranking.parameters
    }
    lines = ["Each job counts once, whatever its other parameters are: the interval holds their"
             " effects as well."]  # fmt: skip
    measured = {
        key: found
        for key, found in levels.items()
        if sum(level.summary is not None for level in found) > 1
    }
    if not measured:
        return Section("effects", "What each parameter does", ["No parameter has two values."])
    effects = [_effect(key, found) for key, found in measured.items()]
    figure = partial(sweeps.main_effects, effects, _scale(ranking.objective))
    listed = {key: found for key, found in levels.items() if len(found) <= MOST_LEVELS}
    tables = [_effects_table(listed, ranking.objective)] if listed else []
    return Section("effects", "What each parameter does", lines, figure, tables)


def _pairs(ranking: Ranking) -> Section:
    found = [_pair(ranking, a, b) for a, b in combinations(ranking.parameters, 2)]
    figure = partial(pairs.pair_maps, found, _scale(ranking.objective))
    return Section("pairs", "What parameters do together", [], figure)


def _curves(ranking: Ranking) -> Section:
    runs = {
        f"#{rank}  {label(place.group, ranking.parameters)}": [
            history for job in place.group.results if (history := job.history())
        ]
        for rank, place in enumerate(ranking.with_numbers[:TOP], 1)
    }
    runs = {name: histories for name, histories in runs.items() if histories}
    title = f"How the best {len(runs)} learn" if len(runs) > 1 else "How the best learns"
    return Section("curves", title, [], partial(sweeps.best_curves, runs))


def _trade_off(ranking: Ranking) -> Section:
    goal = ranking.objective
    timed = []
    for rank, place in enumerate(ranking.places):
        finished = place.group.only("FINISHED")
        score, seconds = finished.summary(goal.metric), finished.summary("training_seconds")
        if score and seconds:
            timed.append((rank, score.mean, seconds.mean))
    costs = [seconds for *_, seconds in timed]
    scores = [score for _, score, _ in timed]
    front = pareto_front(costs, [goal.loss(score) for score in scores])
    ranks = [rank + 1 for rank, *_ in timed]
    figure = partial(sweeps.trade_off, costs, scores, ranks, front, _scale(goal))
    rows = [
        head(ranking, timed[at][0])
        | {goal.label: goal.text(scores[at]), "training time (s)": f"{costs[at]:.1f}"}
        for at in front
    ]
    lines = [
        "Means of the jobs that finished. The table lists the Pareto front, the fastest first: a"
        " configuration that is not on it takes longer than one that is, and is no better."
    ]
    title = "What time buys"
    return Section("time", title, lines if rows else [], figure, [pd.DataFrame(rows)] * bool(rows))


def _unfinished(ranking: Ranking) -> Section:
    title, table = "What did not finish", unfinished_table(ranking)
    if table.empty:
        return Section("unfinished", title, ["None: all jobs finished."])
    return Section("unfinished", title, [], tables=[table])


def _groups(ranking: Ranking) -> list[Group]:
    """Return the configurations in the order of the plan, in which values first came."""
    return sorted(
        (place.group for place in ranking.places), key=lambda group: group.results[0].number
    )


def _scale(objective: Objective) -> sweeps.Scale:
    return sweeps.Scale(objective.label, objective.is_share)


def _effect(parameter: str, levels: Sequence[Level]) -> sweeps.Effect:
    nan = float("nan")
    return sweeps.Effect(
        parameter,
        [level.value for level in levels],
        [level.summary.mean if level.summary else nan for level in levels],
        [level.summary.low if level.summary else nan for level in levels],
        [level.summary.high if level.summary else nan for level in levels],
    )


def _pair(ranking: Ranking, a: str, b: str) -> pairs.Pair:
    """Return what two parameters do; the one with the longer names lies across."""
    groups = _groups(ranking)
    values = {key: values_of(groups, key) for key in (a, b)}
    y, x = sorted((a, b), key=lambda key: max(map(len, labels_of(values[key])), default=0))
    means = pair_means(groups, y, x, ranking.objective)
    return pairs.Pair(x, y, values[x], values[y], means)


def _effects_table(levels: Mapping[str, Sequence[Level]], objective: Objective) -> pd.DataFrame:
    rows = [
        {
            "parameter": parameter if index == 0 else "",
            "value": text(level.value),
            objective.label: objective.text(found.mean) if found else NO_VALUE,
            "95 % interval": objective.interval(found) if found else NO_VALUE,
            "jobs": str(found.n if found else 0),
        }
        for parameter, some in levels.items()
        for index, level in enumerate(some)
        for found in [level.summary]
    ]
    return pd.DataFrame(rows)
