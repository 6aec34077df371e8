"""How sure a network may be: one temperature, fitted on the validation set (Guo et al. 2017).

The logits are divided by T, which changes no class: softmax(z / T). Networks that fit their
training set are too sure of themselves, and T is then above 1.
"""

from __future__ import annotations

import math

import numpy as np

from digit_exp.arrays import Array, Labels

COLDEST, HOTTEST = 0.05, 20.0
BINS = 15
"""As in the paper."""

LEAST_GAIN = 3.84
"""Of 2 log-likelihood ratio, to be taken for more than chance: χ² of one number, 5 % level."""


def fit_temperature(probabilities: Array, labels: Labels) -> float:
    """Return the T under which the labels are most likely. `probabilities` are those for T = 1.

    The mean negative log-likelihood is convex in 1/T, which is looked for between 1/20 and 20. What
    is calibrated stays as it is: T is 1 unless the likelihood ratio speaks against that.
    """
    from scipy.optimize import minimize_scalar

    logits = _logits(probabilities)
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


def tempered(probabilities: Array, temperature: float) -> Array:
    """Return the probabilities with their logits divided by `temperature`, shape kept."""
    if temperature == 1:
        return probabilities
    odds = np.exp(_logits(probabilities) / temperature)
    scaled: Array = (odds / odds.sum(axis=1, keepdims=True)).astype(probabilities.dtype)
    return scaled


def calibration_error(probabilities: Array, labels: Labels) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, on the average.

    Σ over bins of confidence of |bin| / n · |accuracy(bin) − mean confidence(bin)|
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, is_right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def _logits(probabilities: Array) -> Array:
    """Return the logits whose largest in each row is 0; what underflowed is as small as can be."""
    tiny = np.finfo(probabilities.dtype).tiny
    logits: Array = np.log(np.maximum(probabilities, tiny).astype(np.float64))
    logits -= logits.max(axis=1, keepdims=True)
    return logits
