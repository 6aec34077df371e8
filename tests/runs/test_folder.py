"""A run's own note says truthfully how it goes."""

import os
import subprocess
import sys

import pytest

from digit_exp.runs.folder import RunRecord, keep_record, mark_dead_runs, records_below


def test_a_note_reads_back_as_it_was_written(tmp_path):
    record = RunRecord("abc")
    record.write(tmp_path)
    assert RunRecord.read(tmp_path) == record


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")]
)
def test_an_exception_ends_a_run_truthfully(tmp_path, error, status):
    with pytest.raises(error), keep_record(tmp_path, RunRecord("abc")):
        raise error
    assert RunRecord.read(tmp_path).status == status


def test_a_run_ends_with_the_status_that_it_is_given(tmp_path):
    with keep_record(tmp_path, RunRecord("abc")) as record:
        assert RunRecord.read(tmp_path).status == "RUNNING"
        record.status = "FINISHED"
    assert RunRecord.read(tmp_path).status == "FINISHED"


def test_another_living_process_is_alive_and_a_dead_one_is_not():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert RunRecord("a", pid=process.pid).is_alive
    process.communicate(b"\n")
    assert not RunRecord("a", pid=process.pid).is_alive


def test_a_process_that_only_inherited_the_number_is_another():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        long_ago = RunRecord("a", pid=process.pid, started="2020-01-01T00:00:00+00:00")
        assert not long_ago.is_alive
        process.communicate(b"\n")


def test_its_own_process_does_not_stand_in_its_way():
    assert not RunRecord("a", pid=os.getpid()).is_alive


def test_a_process_on_another_host_cannot_be_told_alive():
    assert not RunRecord("a", host="elsewhere").is_alive


def test_runs_come_latest_first_however_deep_they_lie(tmp_path):
    for folder, started in (("a", "2026-01-01"), ("sweeps/b/0", "2026-01-03"), ("c", "2026-01-02")):
        (tmp_path / folder).mkdir(parents=True)
        RunRecord(folder, started=started).write(tmp_path / folder)
    assert [record.run_id for _, record in records_below(tmp_path)] == ["sweeps/b/0", "c", "a"]


def test_a_dead_run_is_called_killed_and_a_living_one_is_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = RunRecord("dead", pid=process.pid, started="2020-01-01T00:00:00+00:00")
        living = RunRecord("living", pid=process.pid)
        elsewhere = RunRecord("elsewhere", host="elsewhere")
        for record in (dead, living, elsewhere):
            folder = tmp_path / "2026-01-01" / str(record.run_id)
            folder.mkdir(parents=True)
            record.write(folder)
        (tmp_path / "2026-01-01" / "broken").mkdir()
        (tmp_path / "2026-01-01" / "broken" / "run.json").write_text('{"status": "RUNNING"')
        mark_dead_runs(tmp_path)
        process.communicate(b"\n")
    found = {
        name: RunRecord.read(tmp_path / "2026-01-01" / name).status
        for name in ("dead", "living", "elsewhere")
    }
    assert found == {"dead": "KILLED", "living": "RUNNING", "elsewhere": "RUNNING"}
