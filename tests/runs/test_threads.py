"""The rule that says how many processes train together."""

import pytest

from digit_exp.nn.network import NetworkBuilder
from digit_exp.runs.threads import choose_threads


def network(width):
    return NetworkBuilder().input(784).dense(width, activation="relu").dense(10).build()


def test_a_small_step_takes_one_process_and_a_large_one_all_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose_threads(network(128), batch_size=32) == 1
    assert choose_threads(network(128), batch_size=128) == 3
    assert choose_threads(network(1024), batch_size=32) == 3


@pytest.mark.parametrize(("wanted", "given"), [(1, 1), (2, 2), (64, 3)])
def test_no_more_are_taken_than_wanted_nor_than_there_are_cores(monkeypatch, wanted, given):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose_threads(network(1024), 512, wanted) == given


def test_a_worker_that_shares_the_machine_takes_no_more_than_it_is_told(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_threads(network(1024), batch_size=512) == 1
