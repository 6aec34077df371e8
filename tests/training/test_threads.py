"""How many threads multiply matrices is what a run says, not what the machine has."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import SGD
from digit_exp.registry import ConfigError
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
