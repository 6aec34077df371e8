import numpy as np
import pytest

from digit_exp.data.dataset import Split
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.training.state import TrainState

CLASSES, SIDE = 4, 8


@pytest.fixture
def digits():
    """96 noisy images of 4 patterns: easy to learn, not at once."""
    rng = np.random.default_rng(0)
    patterns = rng.uniform(0, 255, (CLASSES, SIDE, SIDE))
    labels = rng.integers(CLASSES, size=96)
    images = 0.5 * patterns[labels] + rng.uniform(0, 127, (96, SIDE, SIDE))
    return Split.of(images.astype(np.uint8), labels)


@pytest.fixture
def state():
    """The state of a small network before training, with one slot and no average."""
    network = NetworkBuilder().input(6).dense(5, "relu", batch_norm=True).dense(3).build()
    return TrainState(network, slots={"m": np.zeros(len(network.parameters), np.float32)})
