"""What `digit-exp list` shows of runs and sweeps, from folders and from the store."""

import json
import os
import platform
from datetime import UTC, datetime, timedelta

import pytest

from digit_exp.cli.entry import main
from digit_exp.runs.folder import RunRecord
from tracked_runs import tracked

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def leave(folder, name, *, hours=0, accuracy=None, loss=None, status="FINISHED", **fields):
    """A run as its note describes it."""
    place = folder / "outputs" / name
    place.mkdir(parents=True)
    summary = {"best_val_acc": accuracy, "test_loss": loss}
    summary = {key: value for key, value in summary.items() if value is not None}
    started = (FIRST + timedelta(hours=hours)).isoformat()
    run_id = fields.pop("run_id", name * 32)[:32]
    tags = {"data.name": fields.pop("data", "mnist"), **fields.pop("tags", {})}
    note = {"name": name, "summary": summary, "tags": tags, **fields}
    RunRecord(run_id, status, started, **note).write(place)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Four runs and a sweep of two jobs, the latest last."""
    monkeypatch.chdir(tmp_path)
    leave(tmp_path, "a", hours=0, accuracy=0.97, loss=0.1)
    leave(tmp_path, "b", hours=1, accuracy=0.99, loss=0.3)
    leave(tmp_path, "c", hours=2, status="FAILED", data="kmnist")
    leave(tmp_path, "d", hours=3, status="FAILED", reason="diverged", accuracy=0.5)
    for number, accuracy in enumerate((0.98, 0.95)):
        tags = {"digit_exp.sweep": "grid", "digit_exp.job": str(number)}
        leave(tmp_path, "ef"[number], hours=4 + number, accuracy=accuracy, tags=tags)
    return tmp_path


@pytest.fixture
def listed(capsys):
    def listed(*words):
        assert main(["list", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return listed


def names(found):
    return "".join(run["name"] for run in found["runs"])


def test_runs_come_latest_first_and_the_jobs_of_a_sweep_as_one_line(runs, listed):
    found = listed()
    assert names(found) == "dcba"
    (sweep,) = found["sweeps"]
    assert (sweep["name"], sweep["jobs"], sweep["finished"]) == ("grid", 2, 2)
    assert sweep["objective"] == "best_val_acc"
    assert sweep["best"]["name"] == "e"


def test_a_run_has_the_documented_shape(runs, listed):
    assert listed("--data", "kmnist")["runs"] == [
        {
            "id": "c" * 32,
            "name": "c",
            "status": "failed",
            "started": "2026-01-01T02:00:00+00:00",
            "data": "kmnist",
            "sweep": None,
            "folder": "outputs/c",
            "metrics": {},
        }
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--all"], "fedcba"),
        (["--sweep", "grid"], "fe"),
        (["--status", "diverged"], "d"),
        (["--status", "failed", "diverged"], "dc"),
        (["--data", "mnist"], "dba"),
        (["--best", "3"], "bea"),
        (["--best", "1", "--sort", "test_loss"], "a"),
        (["--sort", "test_loss"], "abcd"),
        (["--sweep", "nothing"], ""),
    ],
)
def test_filters_and_orders(runs, listed, words, expected):
    assert names(listed(*words)) == expected


def test_a_metric_that_no_run_has_is_refused_with_the_nearest(runs, capsys):
    assert main(["list", "--sort", "test_los"]) == 2
    assert "Did you mean 'test_loss'?" in capsys.readouterr().err


def test_long_names_that_differ_at_their_end_do_not_look_alike(runs, capsys):
    for end in "xy":
        leave(runs, f"{'lr=0.001 ' * 12}{end}", hours=10)
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert len({*lines}) == len(lines)
    assert sum("lr=0.001 x" in line for line in lines) == 1


def test_ids_are_as_long_as_it_takes_to_tell_them_apart(runs, capsys):
    for end in "xy":
        leave(runs, end, run_id=f"{'0' * 20}{end}")
    main(["list"])
    assert {"0" * 20 + end for end in "xy"} <= {*capsys.readouterr().out.split()}


def test_runs_are_not_listed_without_end(runs, capsys):
    for number in range(30):
        leave(runs, f"many{number}", hours=10 + number)
    main(["list"])
    assert "14 more" in capsys.readouterr().out
    main(["list", "--all"])
    assert "many0" in capsys.readouterr().out


def test_a_run_whose_process_is_gone_is_not_running(runs, listed):
    here = {"host": platform.node()}
    leave(runs, "gone", status="RUNNING", pid=2**22 + 1, **here)
    taken_up = {"hours": 24 * 365 * 9}  # after this process began, or it only has the number
    leave(runs, "alive", status="RUNNING", pid=os.getpid(), **taken_up, **here)
    found = {run["name"]: run["status"] for run in listed()["runs"]}
    assert (found["gone"], found["alive"]) == ("killed", "running")


def test_an_empty_folder_has_no_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "no runs\n"
    assert list(tmp_path.iterdir()) == []


def test_runs_of_the_store_without_a_folder_are_listed_unless_refused(folder, listed, monkeypatch):
    monkeypatch.chdir(folder)
    with tracked(folder, name="far") as run:
        run.now(params={"data": "mnist"})
    leave(folder, "near")
    assert {run["name"]: run["data"] for run in listed()["runs"]} == {
        "near": "mnist",
        "far": "mnist",
    }
    assert names(listed("--local")) == "near"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "mnst"], ["--data mnst", "kmnist, mnist"]),
        (["--sweep", "grit"], ["--sweep grit", "grid"]),
        (["--data", "mnist", "--status", "pruned"], ["no runs", "6"]),
    ],
)
def test_where_nothing_fits_it_is_said_what_there_is(runs, capsys, words, said):
    assert main(["list", *words]) == 0
    printed = capsys.readouterr().out
    assert [text for text in said if text not in printed] == []
