"""What each parameter does to the objective, on average over all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.replicates import Config, Group, identity
from digit_exp.analysis.statistics import Summary, summarize
from digit_exp.arrays import Array
from digit_exp.plots.values import numbers


@dataclass(frozen=True)
class Level:
    """One value of a parameter and what the jobs with it came to."""

    value: object
    summary: Summary | None


def main_effect(groups: Sequence[Group], parameter: str, objective: Objective) -> list[Level]:
    """Return the mean objective for each value of a parameter; every job counts once."""
    return [
        Level(value, summarize(_scores(groups, {parameter: value}, objective)))
        for value in values_of(groups, parameter)
    ]


def pair_means(groups: Sequence[Group], rows: str, columns: str, objective: Objective) -> Array:
    """Return the mean objective for each pair of values, NaN where no job came to a number."""
    ys, xs = values_of(groups, rows), values_of(groups, columns)
    means = [
        summarize(_scores(groups, {rows: y, columns: x}, objective)) for y, x in product(ys, xs)
    ]
    flat = [np.nan if summary is None else summary.mean for summary in means]
    return np.reshape(flat, (len(ys), len(xs)))


def values_of(groups: Sequence[Group], parameter: str) -> list[object]:
    """Return the values that a parameter takes: numbers ascending, others as they first came."""
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


def _scores(groups: Sequence[Group], wanted: Config, objective: Objective) -> list[float]:
    return [
        score
        for group in groups
        if all(
            key in group.parameters and identity(group.parameters[key]) == identity(value)
            for key, value in wanted.items()
        )
        for score in group.scores(objective).values()
    ]
