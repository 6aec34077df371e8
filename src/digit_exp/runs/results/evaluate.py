"""What is measured once, after training: validation and test predictions, and calibration."""

from collections.abc import Sequence
from pathlib import Path

from digit_exp.analysis.predictions import Predictions
from digit_exp.atomic import whole
from digit_exp.data.dataset import Split
from digit_exp.nn.classifier import Classifier
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.runs.results.calibration import calibration_error, fit_temperature, tempered


def predict_split(network: Network | Learner, split: Split) -> Predictions:
    """Return the predictions of a network for the images of a split."""
    return Predictions(split.labels, network.logits(split.images[split.rows]))


def evaluate_test_set(
    network: Network | Learner, test: Split
) -> tuple[Predictions, dict[str, float]]:
    """Return the predictions, and `test_loss` and `test_acc`."""
    predictions = predict_split(network, test)
    return predictions, {
        "test_loss": float(predictions.losses.mean()),
        "test_acc": float(predictions.is_right.mean()),
    }


def calibrate(val: Predictions) -> dict[str, float]:
    """Fit the temperature on the validation predictions."""
    temperature = fit_temperature(val.logits, val.labels)
    return {
        "temperature": temperature,
        "val_ece": calibration_error(val.probabilities, val.labels),
        "val_ece_tempered": calibration_error(tempered(val.logits, temperature), val.labels),
    }


def picture_kind(data: str, form: object, names: Sequence[str]) -> str:
    """Return what a network reads in pictures, by the name of its data, its form and classes."""
    if data == "folder" and form == "whole":
        return "whole"
    is_digits = data == "mnist" or list(names) == [str(digit) for digit in range(10)]
    return "digits" if is_digits and data in ("mnist", "folder") else "characters"


def write_model(
    path: Path, network: Network, shape: tuple[int, int], temperature: float, reads: str
) -> Path:
    """Write the served network to `path` atomically, and return the path."""
    with whole(path) as draft:
        Classifier(network, shape, temperature, reads).save(draft)
    return path
