"""Everything that changes while a network is trained, in one place.

Optimizers, schedules, regularizers and callbacks have no state of their own: it is here. A
checkpoint is this state in a file, and a resumed run continues from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from digit_exp.arrays import Array
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network


@dataclass
class TrainState:
    """The state of a training run between two steps."""

    network: Network | Learner
    slots: dict[str, Array]
    """The optimizer's moments, each as long as the network's values."""
    schedule_memory: dict[str, float] = field(default_factory=dict)
    average: Array | None = None
    """The exponential moving average of `network.parameters.storage`, if one is kept."""
    step: int = 0
    """Updates done."""
    epoch: int = 0
    """Epochs finished."""
    history: list[dict[str, float]] = field(default_factory=list)
    """The metrics of each finished epoch; its number is under "epoch", from 1."""
    callback_memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What callbacks remember, by class name: plain values and arrays."""
    stop_reason: str | None = None
    """Why training ended before the last epoch; None while it goes on."""

    @property
    def evaluated(self) -> NDArray[Any]:
        """The storage that evaluation uses: the average if there is one, else the network's."""
        return self.network.storage if self.average is None else self.average

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network have the averaged weights inside the `with` block."""
        if self.average is None:
            yield
            return
        raw = self.network.storage.copy()
        self.network.restore(self.average)
        try:
            yield
        finally:
            self.network.restore(raw)
