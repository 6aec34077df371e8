"""Runs that are still RUNNING in the store although their process was killed."""

from __future__ import annotations

import logging
import platform
from typing import TYPE_CHECKING

from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

MAX_RUNS = 1000  # per call


def mark_dead(client: MlflowClient) -> list[str]:
    """Set runs to KILLED whose process on this machine is gone, and return their ids.

    Covers every experiment, and is called at every start.
    """
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    here = f"attributes.status = 'RUNNING' AND tags.\"{ownership.HOST}\" = '{platform.node()}'"
    running = client.search_runs(experiments, here, max_results=MAX_RUNS)
    dead = [run.info.run_id for run in running if ownership.is_gone(run.data.tags)]
    for run_id in dead:
        client.set_terminated(run_id, str(Status.KILLED))
        logger.info("the process of the run %s is gone; the run is set to KILLED", run_id)
    return dead
