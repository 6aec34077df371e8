"""The predictions of a network for some images, and the file that keeps them.

The file holds logits. The logarithm of a float32 probability is wrong where that underflows to 0.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array, Labels
from digit_exp.nn.losses import log_softmax, softmax
from digit_exp.npz import ArchiveError, read_arrays, write_arrays


@dataclass(frozen=True)
class Predictions:
    """The labels of some images, shape `(n,)`, and their logits, shape `(n, classes)`."""

    labels: Labels
    logits: Array

    @cached_property
    def probabilities(self) -> Array:
        """Shape `(n, classes)`."""
        return softmax(self.logits.copy())

    @cached_property
    def losses(self) -> Array:
        """The cross-entropy of each image."""
        losses: Array = -log_softmax(self.logits)[np.arange(len(self.labels)), self.labels]
        return losses

    @cached_property
    def predicted(self) -> Labels:
        """The class that is predicted for each image."""
        classes: Labels = self.logits.argmax(axis=1)
        return classes

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Which images were classified correctly."""
        found: NDArray[np.bool_] = self.predicted == self.labels
        return found

    def write(self, path: Path) -> Path:
        """Write to `path` atomically, and return the path."""
        return write_arrays(path, {"labels": self.labels, "logits": self.logits})


def read_predictions(path: Path) -> Predictions:
    """Read what `write` wrote, or a file that holds probabilities; raises ArchiveError."""
    arrays = read_arrays(path)
    try:
        labels = arrays["labels"]
        if "logits" in arrays:
            return Predictions(labels, arrays["logits"])
        probabilities = arrays["probabilities"]
    except KeyError as error:
        raise ArchiveError(f"it lacks {error}, so it holds no predictions") from error
    # what underflowed is below the smallest number; any logarithm of 0 would be made up
    smallest = np.finfo(probabilities.dtype).smallest_subnormal
    return Predictions(labels, np.log(np.maximum(probabilities, smallest)))
