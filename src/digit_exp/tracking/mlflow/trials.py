"""The runs of a sweep as the store has them, found by their tags.

They are found by the sweep's name, not by their parent: nothing is lost if a server was given two
parents at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digit_exp.arrays import Metrics
from digit_exp.tracking import ownership

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KIND, SWEEP, CONFIG_HASH = "digit_exp.kind", "digit_exp.sweep", "digit_exp.config_hash"
JOB, OBJECTIVE = "digit_exp.job", "digit_exp.objective"
SUPERSEDED = "superseded"
"""The kind of a run that was a trial, until its configuration was run anew."""
PAGE = 1000  # runs a call


@dataclass(frozen=True)
class Trial:
    """What the store knows of one run. `metrics` holds the last value of each."""

    run_id: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Metrics
    name: str = ""
    experiment_id: str = ""
    started: float = 0.0
    """Seconds since 1970."""

    @property
    def is_running(self) -> bool:
        """Whether a process is at it that lives, as far as can be seen from here."""
        return self.status == "RUNNING" and not ownership.is_gone(self.tags)


def identity(name: str, config_hash: str) -> dict[str, str]:
    """Return the tags of a job of the sweep `name`, tracked or not."""
    return {KIND: "trial", SWEEP: name, CONFIG_HASH: config_hash}


def is_trial_of(name: str | None) -> str:
    """Return the condition, in MLflow's search language, that a run is a trial of this sweep.

    Without a name, of any sweep or of none: a run of this program that is no sweep's parent.
    """
    is_trial = f"tags.\"{KIND}\" = 'trial'"
    return is_trial if name is None else f"tags.\"{SWEEP}\" = '{name}' AND {is_trial}"


def trials(
    client: MlflowClient, experiment: str, name: str | None, condition: str | None = None
) -> list[Trial]:
    """Return the trials of a sweep, or of all, that meet the condition, the oldest first."""
    where = is_trial_of(name) + (f" AND {condition}" if condition else "")
    return list(search(client, [experiment], where))


def parents(client: MlflowClient, experiment: str, name: str) -> list[Run]:
    """Return the parents of a sweep, the oldest first; there should be one."""
    where = f"tags.\"{SWEEP}\" = '{name}' AND tags.\"{KIND}\" = 'sweep'"
    return list(_search(client, [experiment], where))


def epochs_of(client: MlflowClient, run_id: str, metrics: Iterable[str]) -> list[Metrics]:
    """Return these metrics of each epoch; the numbers of the whole run stand at step 0."""
    epochs: dict[int, dict[str, float]] = {}
    for name in metrics:
        for point in client.get_metric_history(run_id, name):
            if point.step > 0:
                epochs.setdefault(point.step, {"epoch": point.step})[name] = point.value
    return [epochs[step] for step in sorted(epochs)]


def search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Trial]:
    """Go through the runs that meet a condition in MLflow's search language, the oldest first."""
    for run in _search(client, experiments, where):
        info, data = run.info, run.data
        yield Trial(
            info.run_id,
            info.status,
            data.tags,
            data.params,
            data.metrics,
            name=info.run_name or "",
            experiment_id=str(info.experiment_id),
            started=(info.start_time or 0) / 1000,
        )


def _search(client: MlflowClient, experiments: Sequence[str], where: str) -> Iterator[Run]:
    """Go through the runs that meet a condition, the oldest first, page by page."""
    token: str | None = None
    while True:
        page = client.search_runs(
            list(experiments),
            where,
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return
