"""A run's network as it is deployed, and how sure it may be of itself."""

from __future__ import annotations

from pathlib import Path

from digit_exp.atomic import whole
from digit_exp.nn.classifier import Classifier
from digit_exp.nn.network import Network
from digit_exp.runs.reuse.found_run import FoundRun, RunError


def write_served(path: Path, network: Network, shape: tuple[int, int], temperature: float) -> Path:
    """Write the network as it is deployed to `path`, whole or not at all, and return the path."""
    with whole(path) as draft:
        Classifier(network, shape, temperature).save(draft)
    return path


def served_file(run: FoundRun, path: Path) -> Path:
    """Write the network of a run to `path`, as it is served."""
    network = run.network()
    temperature = run.metrics.get("temperature", 1.0)
    return write_served(path, network, image_shape(run, network), temperature)


def image_shape(run: FoundRun, network: Network) -> tuple[int, int]:
    """Return height and width of the images of a run; raises RunError if they are not known."""
    if network.shift_averaging is not None:
        return network.shift_averaging.height, network.shift_averaging.width
    side = round(network.inputs**0.5)
    if side**2 != network.inputs:
        raise RunError(f"{run.label} reads {network.inputs} pixels, which make no square image")
    return side, side
