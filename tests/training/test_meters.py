import math

import numpy as np
import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.training.meters import EpochMeter


@pytest.fixture
def parameters():
    parameters = NetworkBuilder().input(3).dense(2, "relu").dense(2).build().parameters
    parameters.grads[:] = np.arange(1, len(parameters) + 1)
    return parameters


def test_loss_and_accuracy_are_means_over_images_not_over_batches(parameters):
    meter = EpochMeter(parameters)
    meter.observe(loss=1.0, correct=3, images=4)
    meter.observe(loss=4.0, correct=1, images=2)
    metrics = meter.metrics()
    assert metrics["train_loss"] == pytest.approx((4 * 1.0 + 2 * 4.0) / 6)
    assert metrics["train_acc"] == pytest.approx(4 / 6)


def test_the_gradient_norm_is_that_of_the_whole_vector_averaged_over_steps(parameters):
    meter = EpochMeter(parameters)
    norm = float(np.linalg.norm(parameters.grads.astype(np.float64)))
    meter.observe(1.0, 0, 1)
    assert meter.gradient_norm == pytest.approx(norm)
    parameters.grads *= 3
    meter.observe(1.0, 0, 1)
    assert meter.gradient_norm == pytest.approx(3 * norm)
    assert meter.metrics()["gradient_norm"] == pytest.approx(2 * norm)


def test_each_layer_has_the_norms_of_its_weights_and_their_gradients(parameters):
    meter = EpochMeter(parameters)
    meter.observe(1.0, 0, 1)
    metrics = meter.metrics()
    for layer in ("dense_1", "dense_2"):
        weights, grads = (get(f"{layer}.weight") for get in (parameters.value, parameters.grad))
        assert metrics[f"weight_norms/{layer}"] == pytest.approx(np.linalg.norm(weights))
        assert metrics[f"gradient_norms/{layer}"] == pytest.approx(np.linalg.norm(grads))


def test_the_update_ratio_compares_the_last_step_with_the_weights(parameters):
    meter = EpochMeter(parameters)
    meter.observe(1.0, 0, 1)
    parameters.value("dense_1.weight")[...] = 2.0
    meter.keep_weights()
    parameters.value("dense_1.weight")[...] = 2.5
    metrics = meter.metrics()
    assert metrics["update_ratios/dense_1"] == pytest.approx(0.5 / 2.5)
    assert metrics["update_ratios/dense_2"] == 0


def test_without_kept_weights_there_is_no_update_ratio(parameters):
    meter = EpochMeter(parameters)
    meter.observe(1.0, 0, 1)
    assert not [name for name in meter.metrics() if name.startswith("update_ratios")]


def test_weights_of_zero_have_a_ratio_of_zero_and_no_division(parameters):
    meter = EpochMeter(parameters)
    meter.observe(1.0, 0, 1)
    meter.keep_weights()
    parameters.values[:] = 0
    assert meter.metrics()["update_ratios/dense_1"] == 0


def test_all_metrics_are_python_floats(parameters):
    meter = EpochMeter(parameters)
    meter.observe(1.0, 0, 1)
    meter.keep_weights()
    assert {type(value) for value in meter.metrics().values()} == {float}


def test_a_nan_in_the_gradient_shows_in_its_norm(parameters):
    meter = EpochMeter(parameters)
    parameters.grads[0] = math.nan
    meter.observe(1.0, 0, 1)
    assert math.isnan(meter.gradient_norm)
