"""What is measured once, when a network is trained: the test set, and how sure it may be."""

from __future__ import annotations

from digit_exp.analysis.predictions import Predictions
from digit_exp.data.dataset import Split
from digit_exp.nn.losses import softmax
from digit_exp.nn.network import Network
from digit_exp.training.calibration import calibration_error, fit_temperature, tempered


def read_test_set(network: Network, test: Split) -> tuple[Predictions, dict[str, float]]:
    """Return the predictions, and `test_loss` and `test_acc`."""
    predictions = Predictions(test.labels, network.logits(test.images[test.rows]))
    return predictions, {
        "test_loss": float(predictions.losses.mean()),
        "test_acc": float(predictions.is_right.mean()),
    }


def calibration(network: Network, val: Split) -> dict[str, float]:
    """Fit the temperature on the validation set; without one, confidence stays as it is."""
    if not len(val):
        return {}
    logits = network.logits(val.images[val.rows])
    temperature = fit_temperature(logits, val.labels)
    return {
        "temperature": temperature,
        "val_ece": calibration_error(softmax(logits.copy()), val.labels),
        "val_ece_tempered": calibration_error(tempered(logits, temperature), val.labels),
    }
