import math

import numpy as np
import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.initializers import Init, fill

FAN_IN, FAN_OUT = 200, 300
VARIANCES = {
    "he_normal": 2 / FAN_IN,  # He et al. 2015, equation 10
    "he_uniform": 2 / FAN_IN,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),  # Glorot & Bengio 2010, equation 12
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,  # LeCun et al. 1998, equation 16
    "lecun_uniform": 1 / FAN_IN,
    "normal": 0.05**2,
    "uniform": 0.05**2,
}


def drawn(init, dtype=np.float32):
    weights = np.empty((FAN_IN, FAN_OUT), dtype)
    fill(weights, init, np.random.default_rng(0))
    return weights


@pytest.mark.parametrize("init", Init, ids=lambda init: init.value)
def test_weights_have_the_variance_of_the_paper_and_mean_zero(init):
    weights, expected = drawn(init), VARIANCES[init.value]
    assert weights.var() == pytest.approx(expected, rel=0.02)
    assert abs(weights.mean()) < 5 * math.sqrt(expected / weights.size)


@pytest.mark.parametrize("init", [init for init in Init if init.value.endswith("uniform")])
def test_uniform_weights_fill_their_interval_and_never_leave_it(init):
    limit = math.sqrt(3 * VARIANCES[init.value])
    assert 0.99 * limit < np.abs(drawn(init)).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize("init", [init for init in Init if init.value.endswith("normal")])
def test_normal_weights_have_the_tails_of_a_normal_distribution(init):
    beyond_two_sigma = np.abs(drawn(init)) > 2 * math.sqrt(VARIANCES[init.value])
    assert beyond_two_sigma.mean() == pytest.approx(0.0455, abs=0.005)


@pytest.mark.parametrize("init", ["glorot_uniform", "he_uniform", "lecun_uniform"])
def test_a_convolution_has_the_limits_of_keras_and_pytorch(init):
    channels, filters, size = 20, 30, 5
    network = NetworkBuilder().input(9, 9).conv(channels, 1).conv(filters, size, init=init).build()
    fan_in, fan_out = size**2 * channels, size**2 * filters
    variance = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}
    limit = math.sqrt(3 * variance[init.removesuffix("_uniform")])
    largest = np.abs(network.parameters.value("conv2d_2.weight")).max()
    assert 0.99 * limit < largest <= limit * (1 + 1e-6)


@pytest.mark.parametrize("family", ["he", "glorot", "lecun"])
def test_a_short_name_means_the_normal_variant(family):
    assert Init[family] is Init[f"{family}_normal"]


def test_a_float32_and_a_float64_network_start_alike():
    single, double = drawn(Init.he_normal), drawn(Init.he_normal, np.float64)
    np.testing.assert_array_equal(single, double.astype(np.float32))
