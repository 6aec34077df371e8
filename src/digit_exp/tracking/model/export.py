"""A trained network, written to the file that is served."""

from __future__ import annotations

from pathlib import Path

from digit_exp.atomic import whole
from digit_exp.nn.classifier import Classifier
from digit_exp.nn.network import Network


def write_model(path: Path, network: Network, shape: tuple[int, int], temperature: float) -> Path:
    """Write the served network to `path` atomically, and return the path."""
    with whole(path) as draft:
        Classifier(network, shape, temperature).save(draft)
    return path
