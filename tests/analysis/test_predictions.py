"""What is said of a test set where the probability of a label underflows to 0 in float32."""

import numpy as np
import pytest
from scipy.special import log_softmax

from digit_exp.analysis.predictions import Predictions, read_predictions
from digit_exp.analysis.run_comparison import loss_interval
from digit_exp.data.dataset import Split
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.npz import ArchiveError
from digit_exp.runs.results.evaluate import evaluate_test_set


def test_the_test_loss_is_exact_where_probabilities_underflow():
    network = NetworkBuilder().input(12).dense(8, activation="relu").dense(3).build(seed=1)
    network.parameters.storage[:] *= 20
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 3, 4), np.uint8)
    test = Split.of(images, rng.integers(0, 3, 200))
    logits = network.forward(images.astype(np.float32) / 255).astype(np.float64)
    expected = -log_softmax(logits, axis=1)[np.arange(200), test.labels]
    assert (network.predict_proba(images)[np.arange(200), test.labels] == 0).sum() > 20
    predictions, measured = evaluate_test_set(network, test)
    assert measured["test_loss"] == pytest.approx(expected.mean(), rel=1e-5)
    low, high = loss_interval(predictions)
    assert low < expected.mean() < high < 2 * expected.mean()


def test_what_was_written_is_read_back(tmp_path):
    logits = np.array([[300, 0], [0, 1]], np.float32)
    path = Predictions(np.array([1, 1]), logits).write(tmp_path / "new.npz")
    found = read_predictions(path)
    np.testing.assert_array_equal(found.logits, logits)
    np.testing.assert_allclose(found.losses, [300, np.log1p(np.exp(-1))])
    assert found.is_right.tolist() == [False, True]


def test_a_file_of_probabilities_is_read_and_an_underflow_counts_as_the_smallest_number(tmp_path):
    probabilities = np.array([[0.8, 0.2], [1, 0]], np.float32)
    np.savez(tmp_path / "old.npz", labels=[0, 1], probabilities=probabilities)
    found = read_predictions(tmp_path / "old.npz")
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-6, atol=1e-44)
    np.testing.assert_allclose(found.losses, [-np.log(0.8), 149 * np.log(2)], rtol=1e-6)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", labels=[0, 1])
    with pytest.raises(ArchiveError, match="holds no predictions"):
        read_predictions(tmp_path / "other.npz")
