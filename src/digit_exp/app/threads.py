"""How many threads a run takes: as many as the matrix products of its steps keep busy."""

import os

from digit_exp.nn.network import Network
from digit_exp.team import WORTH_A_THREAD

FORWARD_PASS_WORTH_A_THREAD = 2 * WORTH_A_THREAD
"""Twice as much, for the many short calls of a pass wait for the interpreter's lock besides."""


def choose_threads(network: Network, batch_size: int) -> int:
    """Return how many threads a forward pass of training is worth, at most all usable cores."""
    multiply_adds = batch_size * sum(layer.multiply_adds for layer in network.layers)
    return max(1, min(_usable_cores(), multiply_adds // FORWARD_PASS_WORTH_A_THREAD))


def _usable_cores() -> int:
    """Return the cores that this process may run on, or fewer if OMP_NUM_THREADS says so.

    Launchers that run several jobs at a time set it in their workers, or each job would take all.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, int(told)) if told.isdigit() and int(told) else cores
