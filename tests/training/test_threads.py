"""In how many threads a network calculates is what a run says, not what the machine has."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from digit_exp.nn.models import CNN, MLP
from digit_exp.optim.optimizers import SGD
from digit_exp.registry import ConfigError
from digit_exp.threads import in_parts, threads_for
from digit_exp.training.callbacks import Callback
from digit_exp.training.trainer import Trainer


class Threads(Callback):
    """Writes down the threads of BLAS at each step."""

    def __init__(self):
        self.seen = set()

    def on_step_end(self, state, loss):
        self.seen |= threads_of_blas()


def threads_of_blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_uses_the_threads_that_were_asked_for(digits, threads):
    before, callback = threads_of_blas(), Threads()
    network = MLP(hidden=[8]).build(64, 4, seed=1)
    Trainer(network, SGD(), epochs=1, threads=threads, callbacks=[callback]).fit(digits)
    assert callback.seen == {threads}
    assert threads_of_blas() == before


def test_training_takes_one_thread_unless_told_otherwise(digits):
    callback = Threads()
    Trainer(MLP(hidden=[8]).build(64, 4, seed=1), SGD(), epochs=1, callbacks=[callback]).fit(digits)
    assert callback.seen == {1}


def test_no_threads_are_refused():
    with pytest.raises(ConfigError, match="threads: must be at least 1, got 0"):
        Trainer(MLP(hidden=[8]).build(64, 4, seed=1), SGD(), threads=0)


def test_weights_are_the_same_whatever_the_environment_says(digits, monkeypatch):
    weights = []
    for said in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", said)
        network = MLP(hidden=[32]).build(64, 4, seed=1)
        Trainer(network, SGD(), epochs=2).fit(digits)
        weights.append(network.parameters.values.copy())
    np.testing.assert_array_equal(*weights)


def convolutional():
    return CNN(filters=[3, 5], batch_norm=True, hidden=[6]).build((8, 8), 4, seed=1)


def trained(digits, threads):
    network = convolutional()
    Trainer(network, SGD(), epochs=2, batch_size=7, threads=threads).fit(digits)
    return network.parameters.storage.copy()


def test_convolutions_share_images_among_threads_with_the_result_of_one(digits):
    network, x = convolutional(), digits.images[:7].astype(np.float32) / 255
    dlogits, results = np.linspace(-1, 1, 28, dtype=np.float32).reshape(7, 4), []
    for threads in (1, 2, 3, 9):
        with threads_for(network, threads):
            logits = network.forward(x, np.random.default_rng(0)).copy()
            network.backward(dlogits.copy())
        results.append((logits, network.parameters.grads.copy()))
    for logits, grads in results[1:]:
        np.testing.assert_allclose(logits, results[0][0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(grads, results[0][1], rtol=1e-4, atol=1e-5)


def test_two_threads_give_the_same_bits_each_time(digits):
    np.testing.assert_array_equal(trained(digits, 2), trained(digits, 2))


def test_the_parts_of_a_convolution_run_in_threads_and_blas_in_one():
    with threads_for(convolutional(), 3):
        assert threads_of_blas() == {1}
        barrier = threading.Barrier(3, timeout=10)  # passed only if all three run at once
        parts = in_parts(7, lambda part: (barrier.wait(), part)[1])
    assert [i for part in parts for i in range(7)[part]] == list(range(7))


def test_an_error_in_a_thread_is_raised_when_every_part_has_ended():
    ended = []

    def task(part):
        ended.append(part.start)
        if part.start:
            raise ValueError("no")

    with threads_for(convolutional(), 2), pytest.raises(ValueError, match="no"):
        in_parts(4, task)
    assert sorted(ended) == [0, 2]
