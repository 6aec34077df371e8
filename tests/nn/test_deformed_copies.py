"""`model.copies`: the decision over deformed copies, which are the same for every image."""

import numpy as np
import pytest

from digit_exp.data.augmentations import Affine, Full, Noise, Rotate, Shift, Unchanged
from digit_exp.data.deformations import deformations
from digit_exp.nn.classifier import Classifier
from digit_exp.nn.losses import softmax
from digit_exp.nn.models import MLP
from digit_exp.nn.prediction_averaging import deformed
from digit_exp.registry import ConfigError
from digit_exp.rng import Rng
from digit_exp.training.checkpoint import load_network, save_network

SHAPE, COUNT = (9, 7), 3
AFFINE = Affine(p=1.0)


def images(count=5):
    return np.random.default_rng(1).random((count, *SHAPE), dtype=np.float32)


@pytest.fixture
def plain():
    return MLP(hidden=[6]).build(SHAPE, 4, seed=3)


@pytest.fixture
def network(plain):
    return plain.with_copies(deformations(AFFINE, SHAPE, COUNT, Rng(5)))


MOVING = [AFFINE, Rotate(p=1.0), Shift(p=1.0, max_shift=0.3), Full(noise_p=0.0)]


@pytest.mark.parametrize("augmentation", MOVING)
def test_a_map_moves_an_image_as_its_augmentation_does(augmentation):
    maps, (image, *_) = deformations(augmentation, SHAPE, COUNT, Rng(5)), images()
    expected = augmentation(np.repeat(image[None], COUNT, axis=0), Rng(5)("copies"))
    found = [deformed(image.reshape(1, -1), each).reshape(SHAPE) for each in maps]
    inside = maps[:, 2] > 0.999  # at the edge a pixel is mixed with what lies outside
    assert inside.mean() > 0.5
    np.testing.assert_allclose(np.stack(found)[inside], expected[inside], atol=1e-3)


def test_it_is_the_geometric_mean_over_the_image_and_its_copies(plain, network):
    x = images().reshape(5, -1)
    maps = deformations(AFFINE, SHAPE, COUNT, Rng(5))
    every = [x, *(deformed(x, each) for each in maps)]
    logs = np.mean([np.log(plain.predict_proba(copy)) for copy in every], axis=0)
    np.testing.assert_allclose(network.predict_proba(x), softmax(logs), rtol=1e-4)


def test_an_image_is_decided_alike_in_any_batch_and_training_sees_it_alone(plain, network):
    together = network.predict_proba(images())
    alone = [network.predict_proba(images()[k : k + 1])[0] for k in range(5)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(network.forward(images(), rng), plain.forward(images(), rng))


def test_checkpoints_and_served_models_have_the_copies(network, tmp_path):
    expected = network.predict_proba(images())
    saved = load_network(save_network(tmp_path / "saved.npz", network))
    np.testing.assert_array_equal(saved.predict_proba(images()), expected)
    served = Classifier(network, SHAPE).save(tmp_path / "model.npz")
    np.testing.assert_allclose(Classifier.load(served)(images()), expected, rtol=1e-6)


@pytest.mark.parametrize("augmentation", [Unchanged(), Noise(p=1.0), Full(noise_p=1.0)])
def test_an_augmentation_that_does_not_move_pixels_alone_is_refused(augmentation):
    with pytest.raises(ConfigError, match="moves pixels"):
        deformations(augmentation, SHAPE, COUNT, Rng(5))
