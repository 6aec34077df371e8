"""Signals end training in order, and everything else at once."""

import os
import signal

import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.runs.signals import Interrupted, Interruption
from digit_exp.training.state import TrainState


@pytest.fixture
def state():
    return TrainState(NetworkBuilder().input(4).dense(2).build(), slots={})


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_outside_training_a_signal_is_an_exception_at_once(signum, code):
    with pytest.raises(Interrupted) as raised, Interruption():
        os.kill(os.getpid(), signum)
    assert raised.value.exit_code == code


def trained_with_signals(state, signals):
    """Train a step, with signals in it."""
    with Interruption() as interruption:
        interruption.on_fit_start(state)
        for signum in signals:
            os.kill(os.getpid(), signum)
        assert state.stop_reason is None
        interruption.on_step_end(state, 0.5)
        interruption.on_fit_end(state)
        with pytest.raises(Interrupted):
            interruption.raise_if_asked()


def test_in_training_the_first_signal_lets_the_step_finish(state):
    with pytest.raises(Interrupted):
        trained_with_signals(state, [signal.SIGTERM])
    assert state.stop_reason == "interrupted"


def test_in_training_the_second_signal_stops_at_once(state):
    with pytest.raises(Interrupted):
        trained_with_signals(state, [signal.SIGINT, signal.SIGINT])
    assert state.stop_reason is None


def changed_by_a_library(instead):
    """Get a signal whose exception ends, or is replaced by another one."""
    with Interruption():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            if instead is not None:
                raise instead from None


@pytest.mark.parametrize("instead", [None, OSError("of a library")])
def test_what_a_library_makes_of_a_signal_does_not_hide_it(instead):
    with pytest.raises(Interrupted) as raised:
        changed_by_a_library(instead)
    assert raised.value.exit_code == 143


def test_afterwards_signals_do_what_they_did_before():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    interruption.raise_if_asked()
