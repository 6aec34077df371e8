"""The effect of parameters on the objective, on average over all others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.replicates import Group, identity
from digit_exp.analysis.statistics import Summary
from digit_exp.arrays import Array
from digit_exp.plots.parts.values import numbers

SCORE = "score"


@dataclass(frozen=True)
class Level:
    """One value of a parameter and the scores of the jobs with it."""

    value: object
    summary: Summary


def main_effect(groups: Sequence[Group], parameter: str, objective: Objective) -> list[Level]:
    """Return the mean objective for each value of a parameter; every job counts once."""
    scores = _scores(groups, [parameter], objective).groupby(parameter)[SCORE]
    found = {str(value): some.tolist() for value, some in scores}
    return [
        Level(value, objective.summarize(found.get(identity(value), [])))
        for value in values_of(groups, parameter)
    ]


def pair_means(groups: Sequence[Group], rows: str, columns: str, objective: Objective) -> Array:
    """Return the mean objective for each pair of values, NaN where no job has a score."""
    ys, xs = values_of(groups, rows), values_of(groups, columns)
    means = _scores(groups, [rows, columns], objective).groupby([rows, columns])[SCORE].mean()
    table = means.unstack().reindex([identity(y) for y in ys], columns=[identity(x) for x in xs])
    return table.to_numpy(float)


def values_of(groups: Sequence[Group], parameter: str) -> list[object]:
    """Return the values that a parameter takes: numbers ascending, others by job."""
    found = {
        identity(group.parameters[parameter]): group.parameters[parameter]
        for group in groups
        if parameter in group.parameters
    }
    values = list(found.values())
    places = numbers(values)
    if places is None:
        return values
    return [values[index] for index in np.argsort(places)]


def _scores(groups: Sequence[Group], parameters: list[str], objective: Objective) -> pd.DataFrame:
    """Return a row for each job with a score, its parameters as `identity` writes them."""
    rows = [
        {key: identity(group.parameters[key]) for key in parameters} | {SCORE: score}
        for group in groups
        if all(key in group.parameters for key in parameters)
        for score in group.scores(objective).values()
    ]
    return pd.DataFrame(rows, columns=[*parameters, SCORE])
