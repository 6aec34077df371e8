"""What a tracker hears while a network is trained."""

from types import SimpleNamespace

import pytest

from digit_exp.tracking import callback
from digit_exp.tracking.base import Tracker
from digit_exp.tracking.callback import Heartbeat, KeepCheckpoints


class Heard(Tracker):
    """Remembers what it was told."""

    def __init__(self):
        self.files = []
        self.beats = 0

    def log_file(self, path, folder=None):
        self.files.append(f"{folder}/{path.name}")

    def beat(self):
        self.beats += 1


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("best.npz", "last.npz", ".draft.npz"):
        (folder / name).write_text("1")
    return folder


def test_checkpoints_are_kept_when_they_have_changed(folder):
    tracker = Heard()
    keep = KeepCheckpoints(tracker, folder, seconds=0)
    keep.on_epoch_end(SimpleNamespace(epoch=1), {})
    assert tracker.files == ["checkpoints/best.npz", "checkpoints/last.npz"]
    (folder / "last.npz").unlink()
    (folder / "last.npz").write_text("2")
    keep.on_epoch_end(SimpleNamespace(epoch=2), {})
    assert tracker.files[2:] == ["checkpoints/last.npz"]


def test_checkpoints_are_kept_now_and_then_only(folder):
    tracker = Heard()
    keep = KeepCheckpoints(tracker, folder, seconds=3600)
    for epoch in (1, 2, 3):
        (folder / "last.npz").write_text(str(epoch))
        keep.on_epoch_end(SimpleNamespace(epoch=epoch), {})
    assert tracker.files == ["checkpoints/best.npz", "checkpoints/last.npz"]


@pytest.mark.parametrize(("seconds", "beats"), [(0, 3), (3600, 0)])
def test_the_heart_beats_between_steps_when_it_is_time(monkeypatch, seconds, beats):
    monkeypatch.setattr(callback, "BEAT_SECONDS", seconds)
    tracker = Heard()
    heart = Heartbeat(tracker)
    heart.on_fit_start(None)
    for _ in range(3):
        heart.on_step_end(None, 0.5)
    assert tracker.beats == beats
