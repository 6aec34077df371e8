import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from digit_exp.nn.network import NetworkBuilder
from digit_exp.optim.optimizers import Adam
from digit_exp.team import WORTH_A_THREAD, hands, spread, team
from digit_exp.training.trainer import Trainer

LARGE = 100 * WORTH_A_THREAD


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@given(length=st.integers(0, 2000), size=st.integers(1, 5), operations=st.integers(0, LARGE))
def test_every_place_is_worked_on_once_whatever_the_sizes(length, size, operations):
    counts = np.zeros(length, int)

    def count(part):
        counts[part.of(length)] += 1

    with team(size):
        spread(count, hands(operations))
    assert (counts == 1).all()


def test_large_work_is_shared_and_small_work_stays_here():
    def workers(operations):
        seen = set()
        with team(2):
            # each waits for the other, if there is another
            gate = threading.Barrier(2 if operations == LARGE else 1, timeout=10)
            spread(lambda _: (seen.add(threading.get_ident()), gate.wait()), hands(operations))
        return seen

    assert len(workers(LARGE)) == 2
    assert workers(WORTH_A_THREAD) == {threading.get_ident()}


@pytest.mark.parametrize("broken", ["own", "other"])
def test_an_error_in_any_part_is_raised_when_all_have_ended(broken):
    here, ended = threading.get_ident(), []

    def work(part):
        is_own = threading.get_ident() == here
        if is_own == (broken == "own"):
            raise ArithmeticError(f"in {part}")
        ended.append(part)

    with team(2):
        with pytest.raises(ArithmeticError, match="in Part"):
            spread(work, 2)
        assert len(ended) == 1
        spread(ended.append, 2)  # the team works on
    assert len(ended) == 3


def test_no_part_is_left_working_when_an_error_is_raised():
    ended = []

    def work(part):
        if part.index == 1:
            raise ArithmeticError
        time.sleep(0.05 * part.index)
        ended.append(part.index)

    with team(3):
        with pytest.raises(ArithmeticError):
            spread(work, 3)
        assert sorted(ended) == [0, 2]


def test_all_threads_keep_to_what_the_caller_says_about_errors_of_arithmetic():
    with team(2), np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        spread(lambda part: np.float32(1) / np.float32(1 - part.index), 2)


def test_blas_has_one_thread_inside_the_block_only():
    before = blas_threads()
    with team(2):
        assert blas_threads() == {1}
    assert blas_threads() == before


# Wide layers, and some so small that BLAS would take another kernel for a part than for the whole.
@pytest.mark.parametrize("options", [{}, {"batch_norm": True}], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "gelu"])
@pytest.mark.parametrize("hidden", [(520, 300), (333, 33), (65, 40), (33, 7)], ids=str)
def test_the_weights_do_not_depend_on_the_number_of_threads(
    textured, hidden, activation, options, monkeypatch
):
    monkeypatch.setattr("digit_exp.team.WORTH_A_THREAD", 1000)

    def weights(size, batch_size):
        builder = NetworkBuilder().input(textured.images[0].size)
        for units in hidden:
            builder.dense(units, activation, **options).dropout(0.2)
        network = builder.dense(10).build()
        with team(size):
            Trainer(network, Adam(), epochs=2, batch_size=batch_size, ema=0.9).fit(textured)
        return network.parameters.storage

    for batch_size in (32, 100, 256):
        alone = weights(1, batch_size)
        for size in (2, 3):
            np.testing.assert_array_equal(weights(size, batch_size), alone)


@pytest.fixture
def textured():
    """256 images of 28 × 28 with a margin, large enough for products to be shared."""
    from digit_exp.data.dataset import Split

    rng = np.random.default_rng(0)
    images = np.zeros((256, 28, 28), np.uint8)
    images[:, 3:-3, 4:-4] = rng.integers(0, 256, (256, 22, 20))
    return Split.of(images, rng.integers(10, size=256))
