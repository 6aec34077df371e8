"""What is measured once, when a network is trained: the test set, and how sure it may be."""

from __future__ import annotations

import numpy as np

from digit_exp.arrays import Array
from digit_exp.data.dataset import Split
from digit_exp.nn.network import Network
from digit_exp.training.calibration import calibration_error, fit_temperature, tempered


def read_test_set(network: Network, test: Split) -> tuple[Array, dict[str, float]]:
    """Return the probabilities, shape `(n, classes)`, and `test_loss` and `test_acc`."""
    probabilities = network.predict_proba(test.images[test.rows])
    likelihood = probabilities[np.arange(len(test)), test.labels].astype(np.float64)
    tiny = np.finfo(np.float64).tiny  # a probability that underflowed costs much, not infinity
    return probabilities, {
        "test_loss": -float(np.log(np.maximum(likelihood, tiny)).mean()),
        "test_acc": float((probabilities.argmax(axis=1) == test.labels).mean()),
    }


def calibration(network: Network, val: Split) -> dict[str, float]:
    """Fit the temperature on the validation set; without one, confidence stays as it is."""
    if not len(val):
        return {}
    raw = network.predict_proba(val.images[val.rows])
    temperature = fit_temperature(raw, val.labels)
    return {
        "temperature": temperature,
        "val_ece": calibration_error(raw, val.labels),
        "val_ece_tempered": calibration_error(tempered(raw, temperature), val.labels),
    }
