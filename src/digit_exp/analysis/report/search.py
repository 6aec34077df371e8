"""Sections that users of a search look for: best value, importance, parallel coordinates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from digit_exp.analysis.effects import values_of
from digit_exp.analysis.importance import Importance, importances
from digit_exp.analysis.objective import NO_VALUE
from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.replicates import identity
from digit_exp.analysis.report.section import Section
from digit_exp.analysis.report.tables import label, scale, short_names
from digit_exp.arrays import Array
from digit_exp.plots.parts.values import MOST_TICKS, is_logarithmic, numbers, text
from digit_exp.plots.search import (
    ParallelAxis,
    best_so_far,
    importance_bars,
    parallel_coordinates,
)

MIN_JOBS = 3
"""Jobs from which there is a course of the best value."""

MOST_LINES = 500
"""Configurations that are drawn as lines, the best ones."""

MOST_TERMS = 10
"""Parameters and interactions that are listed."""


def progress(found: Ranking) -> Iterator[Section]:
    """Yield the best value so far against the jobs."""
    goal = found.objective
    scored = [
        (job.number + 1, score) for job in found.results if (score := goal.score(job)) is not None
    ]
    if len(scored) < MIN_JOBS:
        return
    jobs, scores = [number for number, _ in scored], [score for _, score in scored]
    yield Section(
        "progress",
        "Best value so far",
        figure=partial(best_so_far, jobs, scores, scale(goal)),
        chart=_progress_chart(found, jobs, np.array(scores)),
    )


def _progress_chart(ranking: Ranking, jobs: Sequence[int], scores: Array) -> Mapping[str, object]:
    """Return what the script draws: positions from 0 to 1, and what the pointer shows."""
    goal = ranking.objective
    axis = scale(goal)
    low, high = axis.limits(scores)
    change = np.log if axis.is_log(scores) else np.array
    best = (np.maximum if goal.is_share else np.minimum).accumulate(scores)

    def place(values: Array) -> list[float]:
        share = (change(values) - change(low)) / (change(high) - change(low))
        return [round(float(at), 4) for at in np.clip(share, 0, 1)]

    levels = np.linspace(low, high, 5)
    settings = {job.number + 1: job.config for job in ranking.results}
    return {
        "kind": "progress",
        "hint": "Point at a job to see it.",
        "jobs": jobs,
        "positions": place(scores),
        "best": place(best),
        "ticks": list(zip(place(levels), map(goal.text, levels.tolist()), strict=True)),
        "texts": [
            f"job {job}: {goal.text(score)}  {label(settings[job], ranking.parameters)}"
            for job, score in zip(jobs, scores.tolist(), strict=True)
        ],
    }


def importance(ranking: Ranking) -> Iterator[Section]:
    """Yield how much of the objective each parameter explains."""
    if not (found := importances(ranking)[:MOST_TERMS]):
        return
    shown = [one for one in found if math.isfinite(one.share)]
    figure = partial(
        importance_bars,
        [one.name for one in shown],
        [one.share for one in shown],
        [(one.low, one.high) for one in shown],
    )
    rows = [
        {"parameter": one.name, "share": _percent(one.share), "95 % interval": _interval(one)}
        for one in found
    ]
    title, lines = "Parameter importance", [explanation(ranking)]
    yield Section("importance", title, lines, figure, [pd.DataFrame(rows)])


def importance_line(ranking: Ranking) -> str | None:
    """Return the importances in one line, for a terminal."""
    found = [one for one in importances(ranking) if len(one.parameters) == 1]
    if len(found) < 2:
        return None
    names = dict(zip(ranking.parameters, short_names(ranking.parameters), strict=True))
    words = [
        f"{names[one.name]} {_percent(one.share)} ({_interval(one)})" for one in found[:MOST_TERMS]
    ]
    return f"importance (95 %): {', '.join(words)}"


def explanation(ranking: Ranking) -> str:
    """Return how the importance was computed."""
    if any(key in ranking.searched for key in ranking.parameters):
        return (
            "PED-ANOVA of Optuna: how much the values of the best tenth of the configurations"
            " differ from those of all. The shares sum to 100 %; interactions are not measured."
            " The interval is the percentile bootstrap over the configurations."
        )
    return (
        "Analysis of variance: the share of the sum of squares of the objective that a parameter"
        " explains (η²), a × b the share of the interaction of two. What is left is due to the"
        " seeds, and to interactions of three or more. The interval inverts the noncentral F"
        " distribution."
    )


def parallel(found: Ranking) -> Iterator[Section]:
    """Yield the configurations as lines through their values."""
    if len(found.parameters) < 2 or len(found.with_numbers) < MIN_JOBS:
        return
    goal, places = found.objective, found.with_numbers[:MOST_LINES]
    names = short_names(found.parameters)
    axes = [_axis(found, *pair) for pair in zip(found.parameters, names, strict=True)]
    scores = [place.summary.mean for place in places if place.summary]
    low, high = scale(goal).limits(np.array(scores))
    yield Section(
        "parallel",
        "Parallel coordinates",
        figure=partial(parallel_coordinates, axes, scores, scale(goal)),
        chart={
            "kind": "parallel",
            "hint": "Point at a line to see it; drag along an axis to select.",
            "axes": [vars(axis) for axis in axes],
            "lines": [
                f"#{rank}  {goal.text(score)}  {label(place.group.parameters, found.parameters)}"
                for rank, (place, score) in enumerate(zip(places, scores, strict=True), 1)
            ],
            "good": [_goodness(score, low, high, is_up=goal.is_share) for score in scores],
        },
    )


def _goodness(score: float, low: float, high: float, *, is_up: bool) -> float:
    """Return where a score lies between the worst and the best, from 0 to 1."""
    share = min(max((score - low) / (high - low), 0.0), 1.0)
    return round(share if is_up else 1 - share, 4)


def _axis(ranking: Ranking, key: str, name: str) -> ParallelAxis:
    """Return a parameter as an axis: numbers at their place, other values in equal steps."""
    values = values_of(ranking.groups, key)
    found = numbers(values)
    own = [place.group.parameters for place in ranking.with_numbers[:MOST_LINES]]
    if found is None or len(found) < 2:
        at = {identity(value): n / max(len(values) - 1, 1) for n, value in enumerate(values)}
        ticks = [(at[identity(value)], text(value)) for value in values]
    else:
        is_log = ranking.searched.get(key, is_logarithmic(found))
        ends = np.log(found) if is_log else np.array(found)
        places = [round(float(at), 4) for at in (ends - ends.min()) / np.ptp(ends)]
        at = {identity(value): place for value, place in zip(values, places, strict=True)}
        ticks = list(zip(places, map(text, values), strict=True))
        if len(values) > MOST_TICKS or key in ranking.searched:
            steps = np.linspace(ends.min(), ends.max(), 5)
            labels = [f"{value:.3g}" for value in (np.exp(steps) if is_log else steps)]
            ticks = list(zip(np.linspace(0, 1, 5).tolist(), labels, strict=True))
    positions = [at[identity(one[key])] if key in one else None for one in own]
    return ParallelAxis(name, positions, ticks)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else NO_VALUE


def _interval(one: Importance) -> str:
    if not math.isfinite(one.low):
        return NO_VALUE
    return f"{100 * one.low:.0f} to {100 * one.high:.0f} %"
