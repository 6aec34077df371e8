"""Where an interrupted job of a tracked sweep goes on: from the folder or from the store."""

import shutil
from types import SimpleNamespace

import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.sweeps.previous import PreviousRun, checkpoint_of
from digit_exp.training.checkpoint import save_checkpoint
from digit_exp.training.state import TrainState

TRIAL = PreviousRun(trial=SimpleNamespace(run_id="mine"))


class Store:
    """Has the checkpoints of a folder."""

    def __init__(self, folder):
        self.folder = folder

    def fetch(self, trial, path, into):
        if not (self.folder / path).is_dir():
            return None
        return shutil.copytree(self.folder / path, into / path)


def leave(folder, epoch, run_id="mine"):
    state = TrainState(NetworkBuilder().input(4).dense(2).build(seed=0), slots={}, epoch=epoch)
    save_checkpoint(folder / "checkpoints" / "last.npz", state, {"run_id": run_id})


@pytest.fixture
def places(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return here, there


@pytest.mark.parametrize(
    ("here_epoch", "there_epoch", "epoch"),
    [(None, None, None), (3, None, 3), (None, 5, 5), (3, 5, 5), (5, 3, 5)],
)
def test_the_checkpoint_that_is_ahead_counts(places, here_epoch, there_epoch, epoch):
    here, there = places
    for place, number in ((here, here_epoch), (there, there_epoch)):
        if number is not None:
            leave(place, number)
    found = checkpoint_of(TRIAL, Store(there), here)
    assert (found and found.state.epoch) == epoch
    assert not list(here.glob("tmp*"))


def test_what_is_had_from_the_store_lies_in_the_folder_then(places):
    here, there = places
    leave(there, 5)
    (there / "checkpoints" / "best.npz").write_text("best")
    checkpoint_of(TRIAL, Store(there), here)
    assert {file.name for file in (here / "checkpoints").iterdir()} == {"best.npz", "last.npz"}


def test_a_checkpoint_of_a_run_that_was_superseded_does_not_count(places):
    here, there = places
    leave(here, 9, run_id="another")
    leave(there, 2)
    assert checkpoint_of(TRIAL, Store(there), here).state.epoch == 2


def test_a_damaged_checkpoint_in_the_store_does_not_hide_the_good_one(places):
    here, there = places
    leave(here, 3)
    leave(there, 5)
    (there / "checkpoints" / "last.npz").write_bytes(b"PK")
    assert checkpoint_of(TRIAL, Store(there), here).state.epoch == 3
