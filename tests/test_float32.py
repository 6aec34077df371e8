"""No float64 in a step of training: it would halve the speed without anybody noticing."""

import sys
import tracemalloc

import numpy as np
import pytest

from digit_exp.data.augmentations import AUGMENTATIONS
from digit_exp.data.batches import batches
from digit_exp.data.sources import Synthetic
from digit_exp.nn.models import MLP, Activation, PixelStatistics
from digit_exp.optim.optimizers import OPTIMIZERS, Adam
from digit_exp.optim.regularizers import REGULARIZERS
from digit_exp.training.trainer import Trainer

BATCH = 16


def float64_in(work):
    """Return where, while `work()` runs, a function of ours holds or returns a float64 array.

    Arrays of a number or two for each image, such as angles, do not count.
    """
    found = set()

    def watch(frame, event, result):
        module = frame.f_globals.get("__name__", "")
        if event != "return" or not module.startswith("digit_exp."):
            return
        own = getattr(frame.f_locals.get("self"), "__dict__", {})
        for name, value in [*frame.f_locals.items(), *own.items(), ("its result", result)]:
            if isinstance(value, np.ndarray) and value.dtype == np.float64 and is_large(value):
                found.add(f"{module}.{frame.f_code.co_qualname}: {name}")

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def is_large(array):
    return array.size > 2 * BATCH


@pytest.fixture(scope="module")
def train():
    return Synthetic(samples=3 * BATCH, classes=4).load().train


def trained(train, *, model=None, augmentation="none", regularizer="none", optimizer=None):
    """Return a trainer, its state after two epochs, and what was float64 in the second.

    The first fills caches, such as a kernel that is computed once and with care.
    """
    network = (model or MLP(hidden=[12, 8])).build(
        28 * 28, 4, seed=0, dropout=0.2, standardize=PixelStatistics(mean=0.2, std=0.3)
    )
    trainer = Trainer(
        network,
        optimizer or Adam(clip_norm=0.1),
        regularizer=REGULARIZERS[regularizer](),
        augmentation=AUGMENTATIONS[augmentation](),
        epochs=1,
        batch_size=BATCH,
        ema=0.9,
    )
    state = trainer.init_state()
    trainer.fit(train, train, state=state)
    trainer.epochs = 2
    found = float64_in(lambda: trainer.fit(train, train, state=state))
    return trainer, state, found


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_parameters_gradients_and_moments_are_float32(train, optimizer):
    trainer, state, found = trained(train, optimizer=OPTIMIZERS[optimizer]())
    parameters = trainer.network.parameters
    kept = [parameters.storage, parameters.values, parameters.grads, state.average]
    assert {array.dtype for array in [*kept, *state.slots.values()]} == {np.dtype(np.float32)}
    assert not found


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_an_epoch_makes_no_vector_of_float64(train, optimizer):
    """It has the weights before the last update, and one float32 vector beside: 8 bytes a number.

    A float64 vector that has no name, and so is not seen above, makes that 12.
    """
    network = MLP(hidden=[256, 64]).build(28 * 28, 4, seed=0)
    trainer = Trainer(network, OPTIMIZERS[optimizer](), epochs=1, batch_size=BATCH)
    state = trainer.fit(train)
    trainer.epochs = 2
    tracemalloc.start()
    try:
        trainer.fit(train, state=state)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(network.parameters)


@pytest.mark.parametrize("activation", Activation)
def test_layers_compute_in_float32(train, activation):
    model = MLP(hidden=[12, 8], activation=activation, batch_norm=True)
    assert not trained(train, model=model)[2]


@pytest.mark.parametrize("regularizer", REGULARIZERS.names())
def test_regularizers_compute_in_float32(train, regularizer):
    assert not trained(train, regularizer=regularizer)[2]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.names())
def test_augmentations_compute_in_float32(train, augmentation):
    assert not trained(train, augmentation=augmentation)[2]


def test_a_float64_array_in_a_step_is_seen(train, monkeypatch):
    def careless(*arguments):
        for x, labels in batches(*arguments):
            yield x.astype(np.float64), labels

    monkeypatch.setattr("digit_exp.training.loop.batches", careless)
    assert "digit_exp.training.trainer.Trainer._train_epoch: x" in trained(train)[2]
