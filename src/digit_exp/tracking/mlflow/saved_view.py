"""The comparison of a sweep's trials, or of all runs, in MLflow: a saved view, and links to it.

On its own the page shows the parent and one bar. A view that is saved with the experiment draws
what a person compares: the curves, and each varied parameter against the objective. MLflow has no
documented format for views: this one is what the page of MLflow 3.15 to 3.17 writes itself. So a
view that cannot be saved is a warning, and the plain link opens the same trials in charts that
MLflow chooses.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import math
import time
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.queries import Trial, is_trial_of, trials
from digit_exp.tracking.mlflow.sweep_runs import Sweep

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

CURVES = ("val_acc", "val_loss", "train_loss")
SCATTERS = 4  # at most: more are hard to read
ALL, EACH, LEARNING, REST = "all", "each", "learning", "rest"  # sections of charts

SEED = "seed"

CHARTS = "&compareRunsMode=CHART"

Json = dict[str, object]


@dataclass(frozen=True)
class SavedView:
    """What is compared: the trials of a sweep, or all runs if that is None.

    The columns are the parameters and the metrics; the best of the objective is first.
    """

    sweep: str | None
    parameters: Sequence[str]
    metrics: Sequence[str]
    objective: str
    ascending: bool
    """Whether a smaller objective is better."""


def comparison_lines(sweep: Sweep, asked: SavedView) -> list[str]:
    """Save the view; return the command that starts MLflow's page, if any, and the link to it."""
    page = comparison_page(sweep.client, sweep.experiment_id, asked)
    return links.opening(sweep.store, page, sweep.name)


def comparison_page(client: MlflowClient, experiment_id: str, asked: SavedView) -> str:
    """Save the view, and return its address, from the `/#` on; the plain one, if that fails."""
    key = save_view(client, experiment_id, asked)
    if key is None:
        return plain_link(experiment_id, asked)
    # without a search of its own: MLflow would then ignore the view
    return _link(experiment_id, {"viewStateShareKey": key})


def save_view(client: MlflowClient, experiment_id: str, asked: SavedView) -> str | None:
    """Save the view with the experiment and return its key; None if it cannot be saved."""
    try:
        done = trials(client, experiment_id, asked.sweep)
        key = hashlib.sha256((asked.sweep or "").encode()).hexdigest()[:16]
        text = _view(asked.sweep, view_state(asked, done))
        client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{key}", text)
    except Exception as error:  # a convenience must not cost anybody a sweep
        logger.warning("the comparison could not be saved as a view in MLflow: %s", error)
        return None
    return key


def table_link(page: str) -> str | None:
    """Return the address of the same runs in a table, if `page` shows some in charts.

    MLflow shows the columns of a view beside its charts only as far as there is room: the names.

    >>> table_link("/#/experiments/1/runs?viewStateShareKey=7&compareRunsMode=CHART")
    '/#/experiments/1/runs?viewStateShareKey=7'
    >>> table_link("/#/experiments/1/runs/7")
    """
    table = page.removesuffix(CHARTS)
    return None if table == page else table


def plain_link(experiment_id: str, asked: SavedView) -> str:
    """Return the address of the same trials, best first, in charts that MLflow chooses."""
    # sorted by a metric, trials are rows of their own; by time, they are folded under the parent
    search = {
        "searchFilter": is_trial_of(asked.sweep),
        "orderByKey": f"metrics.`{asked.objective}`",
        "orderByAsc": str(asked.ascending).lower(),
    }
    return _link(experiment_id, search)


def view_state(asked: SavedView, done: Sequence[Trial]) -> Json:
    """Return the state of MLflow's page in which the runs that are done can be compared."""
    objective = asked.objective
    columns = dict.fromkeys([objective, *asked.metrics])
    grouped = _seeds_together(asked, done)
    charts = _charts(done, asked.parameters, objective, grouped=grouped is not None)
    return {
        "searchFilter": is_trial_of(asked.sweep),
        "orderByKey": f"metrics.`{objective}`",
        "orderByAsc": asked.ascending,
        "selectedColumns": [
            *(f"params.`{name}`" for name in asked.parameters),
            *(f"metrics.`{name}`" for name in columns),
        ],
        "runsHiddenMode": "SHOW_ALL",  # the first ten are its default
        "groupBy": grouped,
        "compareRunCharts": charts,
        "compareRunSections": _sections({chart["metricSectionId"] for chart in charts}, objective),
        "isAccordionReordered": True,  # else sections are sorted by name
    }


def _seeds_together(asked: SavedView, done: Sequence[Trial]) -> Json | None:
    """Return by what runs are grouped: replicates of one configuration, if there are any."""
    names = [name for name in asked.parameters if name != SEED]
    values = [tuple(trial.params.get(name) for name in names) for trial in done]
    if asked.sweep is None or not names or len(set(values)) == len(values):
        return None
    keys = [{"mode": "param", "groupByData": name} for name in names]
    return {"aggregateFunction": "average", "groupByKeys": keys}


def _sections(used: Collection[object], objective: str) -> list[Json]:
    """Return the sections that have charts, the curves first."""
    names = {LEARNING: "Learning curves", EACH: f"{objective} by parameter", ALL: "All parameters"}
    shown = [
        _section(key, name, columns=1 if key == ALL else 3)
        for key, name in names.items()
        if key in used
    ]
    # MLflow adds a chart for every other metric: folded away here
    return [*shown, _section(REST, "Model metrics", display=False)]


def _charts(
    done: Sequence[Trial], parameters: Sequence[str], objective: str, *, grouped: bool
) -> list[Json]:
    """Return the charts. A seed is no axis, nor is what has one value: it would be one point.

    Nor is a word, if runs are grouped: MLflow has the mean of a group's numbers, and of words none.
    MLflow has no logarithmic axis for a parameter; the report of the sweep has.
    """
    measured = [trial for trial in done if objective in trial.metrics]
    names = [name for name in parameters if name != SEED]
    varied = [name for name in names if len({run.params.get(name) for run in measured}) > 1]
    if grouped:
        varied = [name for name in varied if _are_numbers(name, measured)]
    # a trial without a value, or with a word among numbers, would not be drawn at all
    complete = [name for name in varied if _are_numbers(name, measured) is not None]
    result = {"key": objective, "type": "METRIC"}
    compared = [_chart(EACH, "BAR", metricKey=objective)]
    for name in varied[:SCATTERS]:
        axis = {"key": name, "type": "PARAM"}
        compared.append(_chart(EACH, "SCATTER", xaxis=axis, yaxis=result))
    if len(complete) > 1:
        compared.append(
            _chart(ALL, "PARALLEL", selectedParams=complete, selectedMetrics=[objective])
        )
    charts = [*(_curve(name) for name in CURVES), *(compared if len(measured) > 1 else [])]
    return [{"uuid": f"chart-{number}", **chart} for number, chart in enumerate(charts)]


def _chart(section: str, kind: str, **options: object) -> Json:
    return {
        "type": kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **options,
    }


def _curve(metric: str) -> Json:
    return _chart(
        LEARNING,
        "LINE",
        metricKey=metric,
        selectedMetricKeys=[metric],
        xAxisKey="step",
        xAxisScaleType="linear",
        lineSmoothness=0,
        scaleType="log",  # MLflow begins a linear axis at 0, where no accuracy differs
    )


def _are_numbers(name: str, done: Sequence[Trial]) -> bool | None:
    """Tell whether a parameter's values are numbers; None if only some are, or some are missing."""
    kinds = {_is_number(trial.params[name]) if name in trial.params else None for trial in done}
    return kinds.pop() if len(kinds) == 1 else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _section(key: str, name: str, *, columns: int = 3, display: bool = True) -> Json:
    return {
        "uuid": key,
        "name": name,
        "display": display,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
        "columns": columns,
        "cardHeight": 360,
    }


def _view(sweep: str | None, state: Json) -> str:
    """Return the tag's text: the state compressed, in an envelope with a name for the menu."""
    now = time.time_ns() // 1_000_000
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    name = "All runs" if sweep is None else f"Sweep {sweep}"
    envelope = {"name": name, "createdAt": now, "updatedAt": now}
    return json.dumps({**envelope, "state": f"deflate;{packed}"})


def _link(experiment_id: str, search: dict[str, str]) -> str:
    # without the workflow, the page opens among MLflow's tools for language models
    query = {"workflowType": "machine_learning", **search}
    return f"/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}{CHARTS}"
