"""What `digit-exp doctor` finds where all is well, and where something is not."""

import io
import json
import sys

import pytest

from digit_exp.cli.entry import main
from digit_exp.doctor import installation, machine, storage
from digit_exp.doctor.check import Level, error
from digit_exp.doctor.examine import CHECKS
from digit_exp.runs import paths

NAMES = [
    *("digit-exp", "packages", "configuration", "package data", "cores", "BLAS", "kernels"),
    *("terminal", "figures", "git", "folder", "runs", "disk", "data cache", "store"),
]


@pytest.fixture
def examined(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def examined(*words, expect):
        assert main(["doctor", "--json", *words]) == expect
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is (expect == 0)
        return {check["name"]: check for check in report["checks"]}

    return examined


def test_a_good_installation_is_found_good_and_nothing_is_written(examined, tmp_path):
    found = examined(expect=0)
    assert [*found] == NAMES
    assert {*found["store"]} == {"name", "found", "level", "advice"}
    assert {name for name, check in found.items() if check["level"] == "error"} == set()
    assert "openblas" in found["BLAS"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_read_where_there_is_one(folder, examined, monkeypatch):
    assert "runs: 0" in examined(expect=0)["store"]["found"]


def test_a_server_that_does_not_answer_is_an_error_with_advice(examined, servers):
    address = f"http://127.0.0.1:{servers.free_port()}"
    store = examined("--uri", address, expect=1)["store"]
    assert store["level"] == "error"
    assert address in store["found"]
    assert "--uri" in store["advice"]


@pytest.mark.parametrize("requirement", ["no-such-package>=1", "numpy<1"])
def test_a_package_that_is_missing_or_too_old_is_named(examined, monkeypatch, requirement):
    monkeypatch.setattr(installation, "requirements", lambda: [requirement])
    packages = examined(expect=1)["packages"]
    assert packages["found"].startswith(requirement.partition("<")[0].partition(">")[0])


def test_a_requirement_of_another_platform_is_none(monkeypatch):
    monkeypatch.setattr(installation, "requirements", lambda: ["nothing; sys_platform == 'os/2'"])
    assert installation.packages().level is Level.ok


def test_a_damaged_run_is_named(examined, tmp_path):
    damaged = tmp_path / "outputs" / "one" / paths.RECORD
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert str(damaged.relative_to(tmp_path)) in examined(expect=1)["runs"]["found"]


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(examined, monkeypatch):
    def broken():
        raise RuntimeError("no such library")

    monkeypatch.setitem(CHECKS, "BLAS", broken)
    found = examined(expect=1)
    assert [*found] == NAMES
    assert "no such library" in found["BLAS"]["found"]


def test_people_read_the_advice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CHECKS, "disk", lambda: error("full", "make room"))
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "-> make room" in printed
    assert "1 of 15 checks" in printed


def test_a_terminal_that_lacks_characters_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert machine.terminal().level is Level.warning


def test_kernels_that_are_not_compiled_or_not_kept_are_told(monkeypatch):
    monkeypatch.setattr("digit_exp.jit.Kernel.cache_folder", None)
    assert "NUMBA_CACHE_DIR" in machine.kernels().advice
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert "NUMBA_DISABLE_JIT" in machine.kernels().found


def test_a_cache_that_cannot_be_made_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIGIT_EXP_CACHE", str(tmp_path / "file" / "cache"))
    assert "DIGIT_EXP_CACHE" in storage.data_cache().advice
