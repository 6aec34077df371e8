"""The weights of another run that a run begins with: `start_from=RUN`.

A configuration has them as `RUN@DIGEST`, so that a run says with which numbers it began, whatever
becomes of the other one. The digest, not the name, is part of a job's identity.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from digit_exp.nn.layers import Dropout
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.tracking.tags import Tag

PINNED = re.compile(r"(.+)@([0-9a-f]{12})", re.DOTALL)

MOST_SHOWN = 3
"""Layers that a refusal names."""


@dataclass(frozen=True)
class InitialWeights:
    """The network of another run, and where it is from."""

    network: Network
    source: str
    """The run, the epoch and the file, for a sentence."""
    remark: str | None = None
    """What must be known of a run that begins with them."""

    def copy_into(self, network: object) -> None:
        """Give a network these weights; raise ConfigError if it has other layers, or none."""
        if not isinstance(network, Network):
            raise refusal("needs a model that is a network; this one trains in its own way")
        if problems := [*differences(network, self.network)]:
            more = len(problems) - MOST_SHOWN
            shown = [*problems[:MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
            message = f"the weights of {self.source} do not fit: {'; '.join(shown)}"
            raise refusal(f"{message}. Choose the model and the data of that run")
        network.parameters.storage[:] = self.network.parameters.storage


def differences(network: Network, other: Network) -> Iterator[str]:
    """Yield where two networks have other layers; dropout has no weights and may differ."""
    if network.inputs != other.inputs:
        yield f"its images have {other.inputs} pixels, those of this run {network.inputs}"
    for here, there in zip_longest(_layers(network), _layers(other), fillvalue="no layer"):
        if here != there:
            yield f"it has {there} where this run has {here}"


def _layers(network: Network) -> Iterator[str]:
    for name, layer, shape in zip(network.names, network.layers, network.shapes, strict=True):
        if isinstance(layer, Dropout):
            continue
        slots = [
            f"{slot} {' × '.join(map(str, place.shape))}" for slot, place in layer.slots().items()
        ]
        yield f"{name} ({', '.join(slots) or ' × '.join(map(str, shape))})"


def weights_digest(network: Network) -> str:
    """Return 12 hexadecimal digits of the weights and statistics of a network."""
    storage = np.ascontiguousarray(network.parameters.storage)
    return hashlib.sha256(storage.tobytes()).hexdigest()[:12]


def pinned(run: str, digest: str) -> str:
    """Return how a configuration names weights.

    >>> pinned("3f2a9c81d0be", "0123456789ab"), unpinned("3f2a9c81d0be@0123456789ab")
    ('3f2a9c81d0be@0123456789ab', ('3f2a9c81d0be', '0123456789ab'))
    """
    return f"{run}@{digest}"


def unpinned(text: str) -> tuple[str, str | None]:
    """Return the run and the digest; None if only a run is named."""
    found = PINNED.fullmatch(text)
    return (text, None) if found is None else (found[1], found[2])


def origin_tags(start_from: str | None) -> dict[str, str]:
    """Return the tags of a run that began with the weights of another one."""
    if start_from is None:
        return {}
    run, digest = unpinned(start_from)
    return {Tag.START_FROM: run, Tag.START_DIGEST: digest or "unknown"}


def refusal(message: str) -> ConfigError:
    """Return the error for weights that cannot be used."""
    return ConfigError.at("start_from", message)
