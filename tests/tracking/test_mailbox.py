"""Texts that the processes of a sweep leave for each other, in a folder or in the store."""

import pytest

from digit_exp.tracking.base import FolderMailbox
from digit_exp.tracking.mlflow.sweep_runs import join_sweep, open_sweep


@pytest.fixture(params=["folder", "store"])
def shelves(request, folder, monkeypatch):
    """Return the same shelf as two processes see it."""
    if request.param == "folder":
        return FolderMailbox(folder / "jobs"), FolderMailbox(folder / "jobs")
    monkeypatch.chdir(folder)
    sweep = open_sweep("grid")
    return sweep.mailbox("jobs/one"), join_sweep("grid", sweep.parent_id).mailbox("jobs/one")


def test_what_one_process_leaves_the_other_finds(shelves):
    mine, yours = shelves
    assert mine.names() == []
    yours.put("1.json", "ä")
    yours.put("2.json", "b")
    assert sorted(mine.names()) == ["1.json", "2.json"]
    assert mine.get("1.json") == "ä"
