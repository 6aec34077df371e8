"""The loss of a classifier, softmax and cross-entropy in one.

Together they are stable for any logits, their gradient is one subtraction, and labels stay the
integers they are: no one-hot matrix is made.
"""

from typing import ClassVar

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.nn.workspace import Workspace


def softmax(logits: Array) -> Array:
    """Return probabilities, shape `(batch, classes)`; overwrites `logits`.

    Shifted by the row's maximum, which changes nothing but keeps eˣ finite.
    """
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


class CrossEntropy:
    """Softmax and cross-entropy of a batch: its losses and hits, and ∂loss/∂logits.

    loss = −Σₖ qₖ log pₖ with p = softmax(logits) and the target q: 1 for the label, or with label
    smoothing (Szegedy et al. 2016) q = (1 − ε) · onehot + ε / classes. Like a layer it is begun and
    takes rows alone; and the gradient of the mean loss over the batch, (p − q) / batch, is written
    over their logits.
    """

    multiply_adds: ClassVar[int] = 0

    def __init__(self) -> None:
        self.workspaces = self._loss_of_each, self._is_hit = Workspace(), Workspace()

    def begin(self, logits: Array, labels: Labels, smoothing: float = 0.0) -> None:
        """Get ready for a batch. Of `logits`, shape `(batch, classes)`, only the place is known."""
        self.logits, self.labels, self.smoothing = logits, labels, smoothing
        self._losses = self._loss_of_each(labels.shape, logits.dtype)
        self._hits = self._is_hit(labels.shape, bool)

    def divides_back(self, rows: int, count: int) -> bool:
        """Return whether the rows can be divided: always."""
        return True

    def backward(self, rows: slice) -> None:
        """Turn the logits of some rows into their gradient; keep their losses and hits."""
        logits, labels, smoothing = self.logits[rows], self.labels[rows], self.smoothing
        numbers, classes = np.arange(len(labels)), logits.shape[1]
        # For short rows, argmax and a product with ones are faster than NumPy's max and sum.
        largest, ones = logits.argmax(axis=1), np.ones(classes, logits.dtype)
        np.equal(largest, labels, out=self._hits[rows])
        logits -= logits[numbers, largest, np.newaxis]
        # −Σ qₖ log pₖ = log Σ eᶻ − Σ qₖ zₖ, as Σ qₖ = 1
        target = (1 - smoothing) * logits[numbers, labels]
        if smoothing:
            target += smoothing / classes * (logits @ ones)
        probabilities = np.exp(logits, out=logits)
        total = probabilities @ ones
        np.subtract(np.log(total), target, out=self._losses[rows])

        probabilities /= total[:, np.newaxis]
        if smoothing:
            probabilities -= smoothing / classes
        probabilities[numbers, labels] -= 1 - smoothing
        probabilities *= 1 / len(self.labels)

    def mean(self) -> float:
        """Return the mean loss over the batch."""
        return float(self._losses.sum()) / len(self._losses)

    def correct(self) -> int:
        """Return how many rows have their largest logit at the label."""
        return int(np.count_nonzero(self._hits))


def cross_entropy(logits: Array, labels: Labels, smoothing: float = 0.0) -> tuple[float, Array]:
    """Return the mean loss over the batch and ∂loss/∂logits; overwrites `logits`."""
    loss = CrossEntropy()
    loss.begin(logits, labels, smoothing)
    loss.backward(slice(None))
    return loss.mean(), logits
