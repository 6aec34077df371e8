"""Which checkpoint `resume` means, and which runs may not go on."""

import os
from datetime import UTC, datetime

import pytest

from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.resume import find_checkpoint, run_folder, unsent_folder

NOW = datetime.now(UTC).isoformat()


def make_run(outputs, run_id, status="KILLED", started="2026-01-01", **fields):
    folder = outputs / run_id
    (folder / paths.LAST_CHECKPOINT).parent.mkdir(parents=True)
    (folder / paths.LAST_CHECKPOINT).write_bytes(b"")
    RunRecord(run_id, status, started, **fields).write(folder)
    return folder


def test_latest_is_the_run_that_started_last(tmp_path):
    make_run(tmp_path, "old", started="2026-01-01")
    new = make_run(tmp_path, "new", started="2026-01-02")
    assert find_checkpoint("latest", tmp_path) == new / paths.LAST_CHECKPOINT


@pytest.mark.parametrize(
    "as_text", [lambda f: f.name, str, lambda f: str(f / paths.LAST_CHECKPOINT)]
)
def test_a_run_is_named_by_its_id_its_folder_or_its_checkpoint(tmp_path, as_text):
    folder = make_run(tmp_path, "abc")
    checkpoint = find_checkpoint(as_text(folder), tmp_path)
    assert checkpoint == folder / paths.LAST_CHECKPOINT
    assert run_folder(checkpoint) == folder


def test_a_checkpoint_outside_a_run_has_no_folder(tmp_path):
    lonely = tmp_path / "somewhere" / "a.npz"
    lonely.parent.mkdir()
    lonely.write_bytes(b"")
    assert run_folder(find_checkpoint(str(lonely), tmp_path)) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"status": "FINISHED", "summary": {"test_acc": 0.5}},
            "is finished; there is nothing to resume",
        ),
        ({"status": "RUNNING", "pid": os.getppid(), "started": NOW}, "is still running"),
    ],
)
def test_a_run_that_is_finished_or_alive_is_refused(tmp_path, fields, reason):
    make_run(tmp_path, "abc", **fields)
    with pytest.raises(ConfigError, match=reason):
        find_checkpoint("latest", tmp_path)


def test_after_a_finished_run_it_is_said_what_can_be_resumed(tmp_path):
    left = make_run(tmp_path, "broken", started="2026-01-01")
    make_run(tmp_path, "done", "FINISHED", started="2026-01-02", summary={"test_acc": 0.5})
    with pytest.raises(ConfigError) as error:
        find_checkpoint("latest", tmp_path)
    assert "resume='" in str(error.value)
    assert str(left) in str(error.value)
    assert find_checkpoint(str(left), tmp_path) == left / paths.LAST_CHECKPOINT


def test_a_file_of_a_stranger_is_not_read_to_see_whether_something_is_unsent(tmp_path):
    (tmp_path / "theirs.npz").write_bytes(b"no checkpoint")
    assert unsent_folder(str(tmp_path / "theirs.npz")) is None


def test_an_unknown_id_is_refused_with_the_latest_one(tmp_path):
    make_run(tmp_path, "abc")
    with pytest.raises(ConfigError, match=r"resume: 'xyz' is not .* latest runs:\n  abc"):
        find_checkpoint("xyz", tmp_path)


def test_without_any_run_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(ConfigError, match="there are no runs below"):
        find_checkpoint("latest", tmp_path)


def test_a_folder_without_checkpoint_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no checkpoint"):
        find_checkpoint(str(tmp_path), tmp_path)


def test_an_empty_name_is_no_run_and_not_this_folder(tmp_path):
    with pytest.raises(ConfigError, match="no runs below"):
        find_checkpoint("", tmp_path)
