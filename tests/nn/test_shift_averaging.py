"""Predictions that are the mean over an image and its copies moved by some pixels."""

import numpy as np
import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.models import MLP, MODELS, PixelStatistics
from digit_exp.nn.network import Network
from digit_exp.nn.prediction_averaging import ShiftAveraging
from digit_exp.registry import ConfigError

HEIGHT, WIDTH, CLASSES = 5, 4, 5


def images(count=6):
    return np.random.default_rng(1).random((count, HEIGHT, WIDTH), dtype=np.float32)


def moved(image, down, right):
    """Return the image moved by whole pixels, pixel by pixel."""
    result = np.zeros_like(image)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if 0 <= row + down < HEIGHT and 0 <= column + right < WIDTH:
                result[row + down, column + right] = image[row, column]
    return result


@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize("name", MODELS.names())
def test_probabilities_are_the_mean_over_the_views(name, pixels):
    plain = MODELS[name]().build((HEIGHT, WIDTH), CLASSES, seed=3)
    network = MODELS[name](shifts=pixels).build((HEIGHT, WIDTH), CLASSES, seed=3)
    ways = [(0, 0), (pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]
    views = [np.stack([moved(image, *way) for image in images()]) for way in ways]
    expected = np.mean([plain.predict_proba(view) for view in views], axis=0)
    np.testing.assert_allclose(network.predict_proba(images()), expected, rtol=1e-5)


def test_training_sees_the_image_alone():
    plain = MLP(hidden=[7]).build((HEIGHT, WIDTH), CLASSES, seed=3, dropout=0.3)
    network = MLP(hidden=[7], shifts=1).build((HEIGHT, WIDTH), CLASSES, seed=3, dropout=0.3)
    passes = [net.forward(images(), np.random.default_rng(0)) for net in (plain, network)]
    np.testing.assert_array_equal(*passes)


def test_the_pixels_are_moved_before_they_are_standardized():
    statistics = PixelStatistics(mean=0.9, std=0.1)
    network = MLP(shifts=1).build((HEIGHT, WIDTH), CLASSES, seed=3, standardize=statistics)
    plain = MLP().build((HEIGHT, WIDTH), CLASSES, seed=3, standardize=statistics)
    blank = np.zeros((1, HEIGHT, WIDTH), np.float32)
    np.testing.assert_allclose(network.predict_proba(blank), plain.predict_proba(blank), rtol=1e-5)


def test_the_views_are_part_of_what_a_network_is_made_again_from():
    network = MLP(shifts=2).build((HEIGHT, WIDTH), CLASSES, seed=3)
    again = Network.from_spec(network.spec())
    again.parameters.storage[:] = network.parameters.storage
    np.testing.assert_array_equal(again.predict_proba(images()), network.predict_proba(images()))
    assert again.shift_averaging == ShiftAveraging(HEIGHT, WIDTH, 2)
    assert "views" not in MLP().build((HEIGHT, WIDTH), CLASSES, seed=3).spec()


def test_a_hopeless_view_costs_no_infinity():
    logits = np.array([[1000.0, 0.0]] + 4 * [[0.0, 1000.0]], np.float32)
    mean = ShiftAveraging(HEIGHT, WIDTH, 1).mean(logits)
    np.testing.assert_allclose(np.exp(mean), [[0.2, 0.8]], rtol=1e-5)


@pytest.mark.parametrize("pixels", [4, -1])
def test_a_shift_out_of_the_frame_is_refused(pixels):
    with pytest.raises(ConfigError, match=f"less than the sides, 5 × 4, got {pixels}"):
        NetworkBuilder().input(HEIGHT, WIDTH).shift_averaging(pixels)


def test_a_shift_needs_to_know_the_sides():
    with pytest.raises(ConfigError, match="needs the height and width"):
        MLP(shifts=1).build(HEIGHT * WIDTH, CLASSES, seed=3)
