"""The deployed network: the same numbers as the one that was trained."""

import numpy as np
import pytest

from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.classifier import Classifier
from digit_exp.runs.results.calibration import tempered

IMAGES = np.random.default_rng(0).integers(0, 256, (2100, 8, 8)).astype(np.uint8)


def network(activation="relu", *, shifts=0):
    builder = NetworkBuilder().input(8, 8).shift_averaging(shifts).standardize(0.2, 0.3)
    builder.dense(24, activation=activation, batch_norm=True).dropout(0.3)
    built = builder.dense(16, activation=activation).dense(10, activation="softmax").build(seed=1)
    rng = np.random.default_rng(2)
    built.parameters.storage += rng.random(len(built.parameters.storage), np.float32) * 0.2
    return built


@pytest.mark.parametrize("activation", ACTIVATIONS.names())
@pytest.mark.parametrize("shifts", [0, 2])
def test_it_gives_the_probabilities_of_the_network(activation, shifts, tmp_path):
    trained = network(activation, shifts=shifts)
    made = Classifier.load(Classifier(trained, (8, 8), 1.0).save(tmp_path / "network.npz"))
    for images in (IMAGES, IMAGES[:3] / np.float32(255)):
        expected = trained.predict_proba(images)
        np.testing.assert_allclose(made(images), expected, rtol=1e-4, atol=1e-6)


def test_the_temperature_makes_it_less_sure_and_changes_no_class():
    trained = network()
    raw = trained.predict_proba(IMAGES)
    warm = Classifier(trained, (8, 8), 2.5)(IMAGES)
    np.testing.assert_allclose(warm, tempered(trained.logits(IMAGES), 2.5), rtol=1e-4, atol=1e-6)
    assert (warm.max(axis=1) < raw.max(axis=1)).all()


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"must have the shape \(n, 8, 8\), got \(2, 64\)"):
        Classifier(network(), (8, 8), 1.0)(IMAGES[:2].reshape(2, 64))
