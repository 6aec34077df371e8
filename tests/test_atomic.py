"""A file is whole or absent, whatever fails at whatever moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from digit_exp.atomic import discard_drafts, whole, write_text

STEPS = ["pathlib.Path.mkdir", "pathlib.Path.write_text", "os.fsync", "pathlib.Path.replace"]


class Disk:
    """Counts what is done to the disk, and is full from the n-th time on."""

    def __init__(self, monkeypatch, n):
        self.done, self._n = 0, n
        for step in STEPS:
            owner, _, name = step.rpartition(".")
            owner = {"os": os, "pathlib.Path": Path}[owner]
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, call):
        def counted(*arguments, **options):
            self.done += 1
            if self.done >= self._n:
                raise OSError(28, "No space left on device")
            return call(*arguments, **options)

        return counted


def save(path):
    with whole(path, durable=True) as draft:
        draft.write_text("new")


def test_a_disk_that_is_full_at_the_nth_step_leaves_the_old_file_for_every_n(tmp_path):
    write_text(path := tmp_path / "a.txt", "old")
    for n in range(1, 100):
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, n)
            try:
                save(path)
                break
            except OSError:
                pass
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]
    assert n == len(STEPS) + 1
    assert path.read_text() == "new"


def test_what_a_killed_process_leaves_is_hidden_and_can_be_discarded(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom digit_exp.atomic import whole\n"
        "with whole(Path(sys.argv[1])) as draft:\n    draft.write_text('half')\n    os._exit(9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "a" / "b.txt"], check=False)
    assert killed.returncode == 9
    (draft,) = (tmp_path / "a").iterdir()
    assert draft.name.startswith(".b.txt.")
    discard_drafts(tmp_path)
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("name", ["a b.txt", "größe-数字.txt", "x" * 251 + ".txt", "数" * 80])
def test_any_name_that_the_disk_takes_will_do(tmp_path, name):
    assert write_text(tmp_path / name, "text").read_text() == "text"
