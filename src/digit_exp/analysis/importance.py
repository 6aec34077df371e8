"""Parameter importance: the share of the objective that each parameter explains.

Parameters with listed values: analysis of variance. Parameters drawn from a range: PED-ANOVA over
the configurations (Watanabe, Bansal and Hutter, IJCAI 2023), which Optuna has and which, unlike its
fANOVA, needs no scikit-learn.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import ncf, norm

from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.replicates import identity
from digit_exp.analysis.statistics import CONFIDENCE
from digit_exp.arrays import Array, Labels
from digit_exp.plots.parts.values import numbers
from digit_exp.rng import Rng

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Terms = dict[tuple[str, ...], Array]
"""The columns of a linear model for each parameter or pair of parameters."""

RESAMPLES = 100
MIN_CONFIGURATIONS = 10
"""A search with fewer configurations is too small to compare the best with the rest."""
TOP, MIN_TOP = 0.1, 5
"""PED-ANOVA compares the best tenth with all, but at least the best five."""
LARGE = 1e4
"""Noncentrality from which its square root is normal, and the F distribution hard to compute."""


@dataclass(frozen=True)
class Importance:
    """The share of the objective that a parameter, or two together, explain."""

    parameters: tuple[str, ...]
    """One, or two for their interaction."""
    share: float
    low: float
    high: float
    """The 95 % interval; NaN where there is nothing to estimate an error from."""

    @property
    def name(self) -> str:
        """The parameter, or both."""
        return " × ".join(self.parameters)


@lru_cache(maxsize=2)  # sections and terminal ask for it, and the bootstrap takes seconds
def importances(ranking: Ranking) -> Sequence[Importance]:
    """Return the parameters and, if measured, interactions, the most important first.

    Empty if too few jobs have a score.
    """
    if any(key in ranking.searched for key in ranking.parameters):
        found = _search_importances(ranking)
    else:
        found = _grid_importances(ranking)
    return sorted(found, key=lambda one: -one.share)


def importance_table(ranking: Ranking) -> pd.DataFrame:
    """Return the importances as numbers: parameters, share, low, high."""
    rows = [(one.name, one.share, one.low, one.high) for one in importances(ranking)]
    return pd.DataFrame(rows, columns=["parameters", "share", "low", "high"])


def _grid_importances(ranking: Ranking) -> list[Importance]:
    """Return η² of each parameter and each pair, with an interval.

    η² is the sum of squares of a term in a linear model, as a share of the total. A term's sum is
    by how much it lowers the residuals of the model with all other terms of its order or below
    (type II, so that missing jobs do no harm). The interval inverts the noncentral F distribution
    (Steiger, Psychological Methods 9, 2004), with what the model leaves as the error: the seeds,
    or without replicates the interactions.
    """
    scores, codes = _observations(ranking)
    total = float(((scores - scores.mean()) ** 2).sum()) if len(scores) else 0.0
    if not total:
        return []
    main: Terms = {(key,): _dummies([code]) for key, code in codes.items()}
    pairs: Terms = {
        (a, b): _dummies([codes[a], codes[b]]) for a, b in combinations(ranking.parameters, 2)
    }
    error, freedom = _residuals(scores, [*main.values(), *pairs.values()])
    if freedom < 1 or not pairs:
        pairs = {}
        error, freedom = _residuals(scores, list(main.values()))
    found = []
    for names, own in [*main.items(), *pairs.items()]:
        # an effect beside the other effects, an interaction beside the effects
        others = [columns for key, columns in main.items() if key != names]
        without, left = _residuals(scores, others)
        with_it, left_with = _residuals(scores, [*others, own])
        if (df := left - left_with) > 0:
            square = (max(without - with_it, 0.0), df)
            found.append(_share(names, square, (error, freedom), total))
    return found


def _observations(ranking: Ranking) -> tuple[Array, Mapping[str, Labels]]:
    """Return the score of every job, and for each parameter the number of its value."""
    rows = [
        (score, [identity(place.group.parameters.get(key)) for key in ranking.parameters])
        for place in ranking.places
        for score in place.group.scores(ranking.objective).values()
    ]
    values = zip(*(values for _, values in rows), strict=True)
    codes = {
        key: np.unique(list(some), return_inverse=True)[1].astype(np.intp)
        for key, some in zip(ranking.parameters, values, strict=False)
    }
    return np.array([score for score, _ in rows], float), codes


def _dummies(codes: Sequence[Labels]) -> Array:
    """Return a column of 0 and 1 for each combination of values."""
    _, cells = np.unique(np.stack(codes), axis=1, return_inverse=True)
    columns: Array = np.eye(int(cells.max()) + 1)[cells.ravel()]
    return columns


def _residuals(scores: Array, terms: Sequence[Array]) -> tuple[float, int]:
    """Return the residual sum of squares of a linear model, and its degrees of freedom."""
    design = np.column_stack([np.ones(len(scores)), *terms])
    solution, _, rank, _ = np.linalg.lstsq(design, scores - scores.mean(), rcond=None)
    rest = scores - scores.mean() - design @ solution
    return float(rest @ rest), len(scores) - int(rank)


def _share(
    names: tuple[str, ...], term: tuple[float, int], error: tuple[float, int], total: float
) -> Importance:
    (square, df), (rest, freedom) = term, error
    share = min(square / total, 1.0)
    if freedom < 1 or rest <= 1e-12 * total:
        return Importance(names, share, math.nan, math.nan)
    variance = rest / freedom
    others = max(total - square, rest) / variance
    low, high = (
        size / (size + others) for size in _noncentrality(square / df / variance, df, freedom)
    )
    return Importance(names, share, min(low, share), max(high, share))


def _noncentrality(f: float, df: int, freedom: int) -> tuple[float, float]:
    """Return the interval of the noncentrality of which an F value was drawn."""
    tail = (1 - CONFIDENCE) / 2
    if f * df > LARGE:
        reach = float(norm.ppf(1 - tail))
        return (math.sqrt(f * df) - reach) ** 2, (math.sqrt(f * df) + reach) ** 2

    def solve(level: float) -> float:
        def gap(size: float) -> float:
            return float(ncf.cdf(f, df, freedom, size)) - level

        if gap(0.0) <= 0:
            return 0.0
        end = max(4 * f * df, 50.0)
        while gap(end) > 0:
            end *= 2
        return float(brentq(gap, 0.0, end))

    return solve(1 - tail), solve(tail)


def _search_importances(ranking: Ranking) -> list[Importance]:
    """Return PED-ANOVA of each parameter, with the percentile bootstrap over configurations."""
    places = ranking.with_numbers
    if len(places) < MIN_CONFIGURATIONS:
        return []
    scores = [ranking.objective.loss(place.summary.mean) for place in places if place.summary]
    columns = {
        key: _column(
            [place.group.parameters.get(key) for place in places], ranking.searched.get(key)
        )
        for key in ranking.parameters
    }
    columns = {key: column for key, column in columns.items() if len(set(column[1])) > 1}
    shares = _bootstrap(columns, scores)
    low, high = np.quantile(shares[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return [
        Importance((key,), float(share), min(float(low[n]), share), max(float(high[n]), share))
        for n, (key, share) in enumerate(zip(columns, shares[0], strict=True))
    ]


def _column(values: Sequence[object], is_log: bool | None) -> tuple[BaseDistribution, list[object]]:
    """Return the values of a parameter as Optuna takes them, and their distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found = numbers(values)
    if found is None or is_log is None:
        texts = [identity(value) for value in values]
        return CategoricalDistribution(sorted(set(texts))), list(texts)
    return FloatDistribution(min(found), max(found), log=is_log), list(found)


def _bootstrap(
    columns: Mapping[str, tuple[BaseDistribution, list[object]]], losses: Sequence[float]
) -> Array:
    """Return the importances by all configurations, and by each resample, in rows."""
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    trials = [
        optuna.create_trial(
            params={key: values[row] for key, (_, values) in columns.items()},
            distributions={key: kind for key, (kind, _) in columns.items()},
            value=loss,
        )
        for row, loss in enumerate(losses)
    ]

    class Sample(optuna.Study):
        """A study of some trials, without copying them into a storage: that takes seconds."""

        def get_trials(self, *_: object, **__: object) -> list[optuna.trial.FrozenTrial]:
            return chosen

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng, count, shares = Rng(0)("bootstrap"), len(trials), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the evaluator is called experimental
        top = min(0.5, max(TOP, MIN_TOP / count))
        evaluator = PedAnovaImportanceEvaluator(target_quantile=top)
        storage = optuna.storages.InMemoryStorage()
        study = Sample(optuna.create_study(storage=storage).study_name, storage)
        for resample in range(RESAMPLES + 1):
            rows = rng.choice(count, count) if resample else np.arange(count)
            chosen = [copy(trials[row]) for row in rows]
            for number, trial in enumerate(chosen):  # by which the evaluator tells trials apart
                trial.number = trial._trial_id = number
            found = get_param_importances(study, evaluator=evaluator)
            shares.append([found.get(key, 0.0) for key in columns])
    return np.array(shares)
