"""Sections about parameters: the effect of each one, and of two together."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import pandas as pd

from digit_exp.analysis.effects import Level, main_effect, pair_means, values_of
from digit_exp.analysis.importance import Importance, importances
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.report.section import Section
from digit_exp.analysis.report.tables import scale
from digit_exp.plots.effects import Effect, main_effects
from digit_exp.plots.pairs import Pair, pair_maps
from digit_exp.plots.parts.values import labels_of, text

MOST_LEVELS = 12
"""Values of a parameter that are listed; of more, those of a search, the figure is enough."""


def effects(found: Ranking) -> Iterator[Section]:
    """Yield the mean objective for each value of every parameter."""
    if not found.parameters:
        return
    goal = found.objective
    levels = {key: main_effect(found.groups, key, goal) for key in found.parameters}
    measured = {
        key: some for key, some in levels.items() if sum(bool(level.summary) for level in some) > 1
    }
    if not measured:
        yield Section("effects", "Main effects", ["No parameter has two values."])
        return
    figure = partial(
        main_effects,
        [_effect(key, some, found.searched.get(key)) for key, some in measured.items()],
        scale(goal),
    )
    listed = {
        key: some
        for key, some in levels.items()
        if len(some) <= MOST_LEVELS and key not in found.searched
    }
    tables = [_effects_table(listed, goal)] if listed else []
    line = (
        "The mean over all jobs with a value, whatever their other parameters are: the interval"
        " holds the effects of those as well."
    )
    yield Section("effects", "Main effects", [line], figure, tables)


def pairs(found: Ranking) -> Iterator[Section]:
    """Yield the mean objective for each pair of values of two parameters."""
    if len(found.parameters) < 2:
        return
    maps = [_pair(found, a, b) for a, b in combinations(found.parameters, 2)]
    figure = partial(pair_maps, maps, scale(found.objective))
    together = [one for one in importances(found) if len(one.parameters) == 2]
    yield Section("pairs", "Interactions", _named(together), figure)


def _named(interactions: Sequence[Importance]) -> list[str]:
    """Name the interactions that are shown, and say of which that cannot be told."""
    if not interactions:
        return ["The mean for each pair of values. How much they interact is not measured here."]
    shown = [f"{one.name} ({100 * one.share:.0f} %)" for one in interactions if one.low > 0]
    if not shown:
        return ["The mean for each pair of values. No interaction of two parameters is shown."]
    return [f"The mean for each pair of values. These interact: {', '.join(shown)}."]


def _effect(parameter: str, levels: Sequence[Level], is_log: bool | None) -> Effect:
    return Effect(
        parameter,
        [level.value for level in levels],
        [level.summary.mean for level in levels],
        [level.summary.low for level in levels],
        [level.summary.high for level in levels],
        is_log,
    )


def _pair(ranking: Ranking, a: str, b: str) -> Pair:
    """Return the means of two parameters; the one with the longer names is the x axis."""
    groups = ranking.groups
    values = {key: values_of(groups, key) for key in (a, b)}
    y, x = sorted((a, b), key=lambda key: max(map(len, labels_of(values[key])), default=0))
    means = pair_means(groups, y, x, ranking.objective)
    is_log = {key: ranking.searched[key] for key in (x, y) if key in ranking.searched}
    return Pair(x, y, values[x], values[y], means, is_log)


def _effects_table(levels: Mapping[str, Sequence[Level]], objective: Objective) -> pd.DataFrame:
    rows = [
        {
            "parameter": parameter if index == 0 else "",
            "value": text(level.value),
            objective.label: objective.text(level.summary.mean),
            "95 % interval": objective.interval(level.summary),
            "jobs": str(level.summary.n),
        }
        for parameter, some in levels.items()
        for index, level in enumerate(some)
    ]
    return pd.DataFrame(rows)
