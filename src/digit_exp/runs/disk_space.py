"""Whether the disk has room for what a run will write, asked before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError, Problem

FILES = 3
"""Checkpoints at one time: the last, the best, and the draft of either."""

VECTORS = 5
"""As long as the weights, in each: they, two moments, an average, the best weights."""

OTHERS = 10_000_000
"""Bytes of figures, logs and predictions, and of the store's growth."""


def require_room(folder: Path, network: Network) -> None:
    """Raise ConfigError if the disk of `folder` is too full for a run of `network`."""
    needed = FILES * VECTORS * network.parameters.storage.nbytes + OTHERS
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            Problem(
                "",
                f"the disk of {folder} has {free / 1e6:,.0f} MB left, and this run may write"
                f" {needed / 1e6:,.0f} MB: make room, or start it in a folder on another disk",
            )
        )
