import math

import pytest

from digit_exp.sweeps.collect import PeerHistories
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.tags import Tag

JOB = Trial("id", "RUNNING", tags={Tag.CONFIG_HASH: "2a"}, params={}, metrics={})
EPOCHS = [{"epoch": 1, "val_acc": 0.9}, {"epoch": 2, "val_acc": 0.95}]


class Sweep:
    """A sweep of one job in a store that may be away."""

    def __init__(self):
        self.is_away = False
        self.asked = 0

    def children(self):
        self.asked += 1
        if self.is_away:
            raise TrackingError("the server does not answer")
        return [JOB]

    def history(self, trial, metric):
        return EPOCHS


@pytest.fixture
def sweep():
    return Sweep()


def peers(sweep, tmp_path, **options):
    return PeerHistories(sweep, tmp_path, "val_acc", **options)


def test_rivals_are_known_by_the_number_of_their_hash_and_by_epoch(sweep, tmp_path):
    assert peers(sweep, tmp_path)() == {0x2A: {1: 0.9, 2: 0.95}}


def test_a_store_that_does_not_answer_is_left_alone_for_a_while(sweep, tmp_path, caplog):
    look_up = peers(sweep, tmp_path, pause=math.inf)
    sweep.is_away = True
    assert look_up() == {}
    assert "no job is pruned until the store answers: the server does not answer" in caplog.text
    sweep.is_away = False
    assert look_up() == {}
    assert sweep.asked == 1


def test_a_store_is_asked_again_after_the_pause(sweep, tmp_path):
    look_up = peers(sweep, tmp_path, pause=0)
    sweep.is_away = True
    assert look_up() == {}
    sweep.is_away = False
    assert look_up() != {}
