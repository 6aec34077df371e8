"""The temperature: found again where it is known, harmless where there is nothing to mend."""

import numpy as np
import pytest

from digit_exp.runs.results.calibration import calibration_error, fit_temperature, tempered


def drawn(temperature, n=20_000, classes=10):
    """Logits that are `temperature` times too sure, and labels drawn from the true ones."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n, classes))
    true = np.exp(logits)
    true /= true.sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return (logits * temperature).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    mended = tempered(logits, found)
    assert calibration_error(mended, labels) < 0.01
    np.testing.assert_array_equal(mended.argmax(axis=1), logits.argmax(axis=1))


def test_what_is_calibrated_stays_as_it_is():
    assert fit_temperature(*drawn(1.0)) == 1
    assert fit_temperature(*drawn(1.02)) != 1
    assert fit_temperature(*drawn(1.02, n=200)) == 1  # too few to tell


def test_the_error_is_the_gap_between_confidence_and_accuracy():
    probabilities = np.array([[0.9, 0.1]] * 10, np.float32)
    labels = np.array([0] * 6 + [1] * 4)
    assert calibration_error(probabilities, labels) == pytest.approx(0.3, abs=1e-6)


def test_a_network_that_is_always_right_and_sure_stays_finite():
    logits = 1e4 * np.eye(10, dtype=np.float32)[np.arange(100) % 10]
    temperature = fit_temperature(logits, np.arange(100) % 10)
    assert np.isfinite(tempered(logits, temperature)).all()


def test_the_temperature_of_probabilities_that_underflow_is_that_of_their_logits():
    labels = np.arange(20_000) % 2
    wrong = np.arange(20_000) < 10
    logits = 150 * np.eye(2, dtype=np.float32)[np.where(wrong, 1 - labels, labels)]
    # of 2000 images 1999 are right: at the best temperature the gap of 150 is log(1999)
    assert fit_temperature(logits, labels) == pytest.approx(150 / np.log(1999), rel=1e-3)
