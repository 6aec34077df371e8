"""Reports as JSON, in the shapes of `docs/commands.md`."""

from __future__ import annotations

from typing import Any

from digit_exp.runs.reuse.listing import as_json
from digit_exp.runs.reuse.reproduce import Reproduction


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """Return what `reproduce --json` prints."""
    first = found.first
    return {
        "verdict": found.verdict.name,
        "original": as_json(found.original),
        "again": as_json(found.again),
        "epochs": found.epochs,
        "first_difference": None
        if first is None
        else {
            "epoch": first.epoch,
            "metrics": {key: [*pair] for key, pair in first.values.items()},
        },
        "environment": {key: [*pair] for key, pair in found.changed.items()},
        "weights": found.weights,
        "predictions": found.predictions,
        "tolerance": found.tolerance,
    }
