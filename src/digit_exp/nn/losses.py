"""The loss of a classifier, softmax and cross-entropy in one.

Together they are stable for any logits, their gradient is one subtraction, and labels stay the
integers they are: no one-hot matrix is made.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array, Labels
from digit_exp.nn.kernels import softmax_cross_entropy


class Loss(NamedTuple):
    """The loss of a batch, with its gradient."""

    mean: float
    """The mean loss over the batch."""
    correct: int
    """How many rows have their largest logit at the label."""
    gradient: Array
    """∂mean/∂logits, shape `(batch, classes)`."""


def softmax(logits: Array) -> Array:
    """Return probabilities, shape `(batch, classes)`; overwrites `logits`.

    Shifted by the row's maximum, which changes nothing but keeps eˣ finite.
    """
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def log_softmax(logits: Array, dtype: DTypeLike = np.float64) -> Array:
    """Return log-probabilities, finite where the probability itself underflows to 0."""
    shifted: Array = logits - logits.max(axis=1, keepdims=True).astype(dtype)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def cross_entropy(logits: Array, labels: Labels, smoothing: float = 0.0) -> Loss:
    """Return the cross-entropy of a batch and its gradient, which overwrites `logits`.

    loss = −Σₖ qₖ log pₖ with p = softmax(logits) and the target q: 1 for the label, or with label
    smoothing (Szegedy et al. 2016) q = (1 − ε) · onehot + ε / classes. The gradient of the mean
    loss over the batch is (p − q) / batch. Raises ValueError unless there is one label a row, and
    IndexError for a label that is not in [0, classes).
    """
    batch, classes = logits.shape
    if labels.shape != (batch,):
        raise ValueError(f"{batch} rows of logits need {batch} labels, got shape {labels.shape}")
    of_type = logits.dtype.type
    total, correct = softmax_cross_entropy(
        logits, labels, of_type(1 - smoothing), of_type(smoothing / classes), of_type(1 / batch)
    )
    return Loss(total / batch, correct, logits)
