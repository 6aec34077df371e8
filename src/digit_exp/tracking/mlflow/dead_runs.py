"""Runs whose process was killed before it could say how they ended."""

from __future__ import annotations

import logging
import platform
from typing import TYPE_CHECKING

from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

MOST = 1000  # runs a call


def mark_dead(client: MlflowClient) -> list[str]:
    """Call those runs KILLED whose process on this machine is gone, and return their ids.

    Of any experiment. At every start, so that nothing is called RUNNING for ever.
    """
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    here = f"attributes.status = 'RUNNING' AND tags.\"{ownership.HOST}\" = '{platform.node()}'"
    running = client.search_runs(experiments, here, max_results=MOST)
    dead = [run.info.run_id for run in running if ownership.is_gone(run.data.tags)]
    for run_id in dead:
        client.set_terminated(run_id, str(Status.KILLED))
        logger.info("the run %s was killed without a word; it is called KILLED", run_id)
    return dead
