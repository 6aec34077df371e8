"""Calibration: one temperature, fitted on the validation set (Guo et al. 2017).

The logits are divided by T: softmax(z / T). The predicted class stays the same. Networks that fit
their training set are overconfident, and T is then above 1.
"""

from __future__ import annotations

import math

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.nn.losses import log_softmax, softmax

COLDEST, HOTTEST = 0.05, 20.0
BINS = 15
"""As in the paper."""

LEAST_GAIN = 3.84
"""Of twice the log-likelihood ratio, to be significant: χ² with one degree of freedom, 5 %."""


def fit_temperature(logits: Array, labels: Labels) -> float:
    """Return the T under which the labels are most likely.

    The mean negative log-likelihood is convex in 1/T, which is searched between 1/20 and 20. T is 1
    unless a likelihood ratio test rejects that.
    """
    from scipy.optimize import minimize_scalar

    logits = log_softmax(logits)
    true = logits[np.arange(len(labels)), labels]

    def loss(beta: float) -> float:
        return float((np.log(np.exp(beta * logits).sum(axis=1)) - beta * true).mean())

    found = minimize_scalar(
        lambda x: loss(math.exp(x)),
        bounds=(-math.log(HOTTEST), -math.log(COLDEST)),
        method="bounded",
    )
    gain = 2 * len(labels) * (loss(1.0) - float(found.fun))
    return math.exp(-float(found.x)) if gain > LEAST_GAIN else 1.0


def tempered(logits: Array, temperature: float) -> Array:
    """Return probabilities, shape `(n, classes)`: the softmax of `logits / temperature`."""
    return softmax(logits / logits.dtype.type(temperature))


def calibration_error(probabilities: Array, labels: Labels) -> float:
    """Return the expected calibration error: the mean distance of confidence from accuracy.

    Σ over bins of confidence of |bin| / n · |accuracy(bin) − mean confidence(bin)|
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, is_right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))
