"""Sweeps from outside: the real command, on a real store, undisturbed, killed and continued."""

import re
import shutil
import signal
import subprocess
from pathlib import Path
from statistics import fmean

import numpy as np
import optuna
import pytest

import digit_exp
from digit_exp.config.paths import conf_dir

GRID = ["-m", "data=synthetic", "trainer.epochs=3", "optimizer=sgd,adam", "model.hidden=[8],[16]"]
UNTRACKED = [*GRID, "tracking=none"]
LONGER = ["data.samples=20000", "trainer.epochs=12", "trainer.early_stopping.enabled=false"]
"""Makes a job so long that a signal after its line meets the next one."""
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def write_digits(folder, images=40):
    """Write four IDX files, of noise in two classes."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (images, 5, 5), np.uint8)
    labels = np.arange(images, dtype=np.uint8) % 2
    for stem in ("train", "t10k"):
        for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            header = bytes([0, 0, 8, values.ndim])
            (folder / f"{stem}-{kind}-ubyte").write_bytes(header + sizes + values.tobytes())


@pytest.mark.parametrize(
    ("start", "launcher"),
    [("command", []), pytest.param("fresh_command", JOBLIB, marks=pytest.mark.slow)],
    ids=["basic", "joblib"],
)
def test_a_grid_runs_once_under_one_parent_with_a_report(
    tmp_path, command, request, reading, start, launcher
):
    printed = request.getfixturevalue(start).run(tmp_path, *GRID, *launcher).stdout
    assert "4 jobs" in printed
    assert "[4/4]" in printed
    trials = reading.runs(tmp_path)
    (parent,) = reading.runs(tmp_path, "sweep")
    assert [trial.info.status for trial in trials] == ["FINISHED"] * 4
    assert {trial.data.tags["mlflow.parentRunId"] for trial in trials} == {parent.info.run_id}
    assert parent.info.status == "FINISHED"
    best = max(trial.data.metrics["best_val_acc"] for trial in trials)
    assert parent.data.metrics["best_val_acc"] == best
    assert "hidden=[" in parent.data.tags["winner"]
    assert {"report.html", "report.md", "figures", "experiment"} <= reading.files(tmp_path, parent)
    note = parent.data.tags["mlflow.note.content"]
    assert f"](get-artifact?path=figures%2Fcurves.png&run_uuid={parent.info.run_id})" in note
    runs = re.findall(r"\[\d+\]\(#/experiments/1/runs/(\w+)\)", note)
    assert set(runs) == {trial.info.run_id for trial in trials}
    assert "-m digit_exp ui " in printed
    index = next((tmp_path / "outputs" / "sweeps").glob("*/index.txt")).read_text()
    assert len(index.splitlines()) == 5

    again = command.run(tmp_path, *GRID).stdout
    assert again.count("was done before") == 4
    assert reading.table(again) == reading.table(printed)
    assert len(reading.runs(tmp_path)) == 4
    assert len(reading.runs(tmp_path, "sweep")) == 1


def test_the_winner_runs_again_from_its_preset_to_the_same_result(tmp_path, command):
    printed = command.run(tmp_path, *UNTRACKED).stdout
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    command.run(tmp_path, "--config-dir", str(folder), "experiment=best", "tracking=none")
    (single,) = tmp_path.glob("outputs/20*/*/test_predictions.npz")
    jobs = [np.load(file)["logits"] for file in folder.glob("*/test_predictions.npz")]
    assert sum(np.array_equal(np.load(single)["logits"], job) for job in jobs) == 1
    assert "experiment=best" in printed


def test_a_killed_sweep_goes_on_where_it_was_and_comes_to_the_same_table(folder, command, reading):
    whole, halved = folder / "whole", folder
    whole.mkdir()
    expected = reading.table(command.run(whole, *UNTRACKED, *LONGER).stdout)
    code, _ = command.interrupt(halved, *GRID, *LONGER, after="[2/4]", by=signal.SIGKILL)
    assert code == -signal.SIGKILL
    # a line comes a moment after its job: one more may have ended before the kill
    ended = [trial.info.status for trial in reading.runs(halved)].count("FINISHED")
    assert ended in (2, 3)
    printed = command.run(halved, *GRID, *LONGER).stdout
    assert printed.count("was done before") == ended
    assert reading.table(printed) == expected
    trials = reading.runs(halved)
    assert sorted(trial.info.status for trial in trials) == ["FINISHED"] * 4
    assert len(reading.runs(halved, "sweep")) == 1


@pytest.mark.parametrize(
    ("start", "launcher", "by"),
    [
        ("command", "basic", signal.SIGINT),
        pytest.param("fresh_command", "joblib", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_sweep_with_a_report_and_the_truth(
    folder, request, reading, start, launcher, by
):
    words = [*GRID, *LONGER, f"hydra/launcher={launcher}"]
    command = request.getfixturevalue(start)
    code, printed = command.interrupt(folder, *words, after="[1/4]", by=by)
    assert code == 128 + by
    assert "Traceback" not in printed
    (parent,) = reading.runs(folder, "sweep")
    assert parent.info.status == "KILLED"
    assert "RUNNING" not in {trial.info.status for trial in reading.runs(folder)}
    assert list(folder.glob("outputs/sweeps/*/report.html"))


def test_a_failing_job_is_told_at_once_and_the_others_go_on(folder, command, reading):
    words = ["-m", "data=idx", "data.dir=a,b", "trainer.epochs=1"]
    done = command.run(folder, *words, expect=1)
    assert done.stdout.count(" failed: ") == 2
    assert "a is not a folder" in done.stdout
    assert "[2/2]" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (report,) = folder.glob("outputs/sweeps/*/report.md")
    assert "b is not a folder" in report.read_text(encoding="utf-8")
    (parent,) = reading.runs(folder, "sweep")
    assert parent.info.status == "FAILED"
    trials = reading.runs(folder)
    assert [trial.info.status for trial in trials] == ["FAILED"] * 2
    assert "a is not a folder" in " ".join(trial.data.tags["digit_exp.error"] for trial in trials)
    assert {trial.data.tags["mlflow.parentRunId"] for trial in trials} == {parent.info.run_id}

    write_digits(folder / "a")
    done = command.run(folder, *words, expect=1)
    assert done.stdout.count(" failed: ") == 1
    found = {trial.data.params["data.dir"]: trial.info.status for trial in reading.runs(folder)}
    assert found == {"a": "FINISHED", "b": "FAILED"}
    assert len(reading.runs(folder, "superseded")) == 2


def test_a_network_without_room_fails_alone(tmp_path, command):
    words = ["-m", "tracking=none", "data=synthetic", "trainer.epochs=1"]
    done = command.run(tmp_path, *words, "model.hidden=[1000000000000],[8]", expect=1)
    assert done.stdout.count(" failed: ") == 1
    assert "memory" in done.stdout
    assert "[2/2]" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_fail_fast_stops_at_the_first_failure(tmp_path, command):
    words = ["-m", "tracking=none", "data=idx", "data.dir=a,b", "sweep.fail_fast=true"]
    done = command.run(tmp_path, *words, expect=1)
    assert "[1/2] job 0 failed: " in done.stdout
    assert "[2/2]" not in done.stdout
    assert "stopped at a failure: 1 job was not started" in done.stdout


def test_one_invalid_job_refuses_the_sweep_before_the_first_starts(tmp_path, command):
    words = ["-m", "schedule=cosine,warmup_cosine", "trainer.epochs=5,20"]
    done = command.run(tmp_path, *words, expect=2)
    assert (
        "schedule.warmup_epochs: must be less than trainer.epochs=5, got 5 (job 2)" in done.stderr
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_rerun_starts_over_under_the_same_parent(tmp_path, command, reading):
    words = [*GRID[:-1], "sweep.name=mine"]
    command.run(tmp_path, *words)
    printed = command.run(tmp_path, *words, "sweep.rerun=true").stdout
    assert "was done before" not in printed
    assert len(reading.runs(tmp_path)) == 2
    assert len(reading.runs(tmp_path, "superseded")) == 2
    assert [parent.info.run_name for parent in reading.runs(tmp_path, "sweep")] == ["mine"]


HIDDEN = """\
from importlib import metadata
usual = metadata.distribution
def distribution(name):
    if name == "digit-exp":
        raise metadata.PackageNotFoundError(name)
    return usual(name)
metadata.distribution = distribution
"""


def test_a_checkout_that_is_not_installed_sweeps_and_knows_its_code_without_git(
    tmp_path, fresh_command
):
    package = Path(digit_exp.__file__).parent
    # with what is compiled, as it takes some ten seconds, and without files that are being written
    skipped = shutil.ignore_patterns("mnist", "*.lock", "*.tmp.*", "*.pyc.*")
    shutil.copytree(package.parent, tmp_path / "src", ignore=skipped)
    shutil.copytree(conf_dir(), tmp_path / "conf")
    (tmp_path / "src" / "sitecustomize.py").write_text(HIDDEN)
    words = ["-m", "experiment=debug", "data=synthetic", "tracking=none", "trainer.epochs=1"]

    def sweep():
        search = {"PYTHONPATH": str(tmp_path / "src"), "PATH": ""}
        return fresh_command.run(tmp_path, *words, **search).stdout

    assert sweep().count(" done: ") == 1
    (tmp_path / "README.md").write_text("changed")
    assert sweep().count("was done before") == 1
    (tmp_path / "src" / "digit_exp" / "nn" / "new.py").write_text("x = 1")
    assert sweep().count(" done: ") == 1


@pytest.mark.slow
def test_two_halves_under_one_name_make_one_sweep(tmp_path, command, reading):
    command.run(tmp_path, *GRID[:-2], "sweep.name=both", "model.hidden=[8]", "optimizer=sgd,adam")
    words = [*GRID[:-2], "sweep.name=both", "model.hidden=[16]", "optimizer=sgd,adam"]
    printed = command.run(tmp_path, *words).stdout
    assert len(reading.table(printed).splitlines()) == 3 + 4
    assert len(reading.runs(tmp_path, "sweep")) == 1


def test_a_search_goes_on_to_its_total_with_the_jobs_of_an_undisturbed_one(
    tmp_path, command, reading
):
    words = ["sweep=tpe", "data=synthetic", "experiment=debug", "tracking=none"]
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    whole.mkdir()
    halved.mkdir()
    expected = reading.table(command.run(whole, *words, "hydra.sweeper.n_trials=4").stdout)
    command.run(halved, *words, "hydra.sweeper.n_trials=2")
    printed = command.run(halved, *words, "hydra.sweeper.n_trials=4").stdout
    assert "[2/4]" in printed
    assert "[3/4]" not in printed
    assert reading.table(printed) == expected


@pytest.mark.slow
def test_a_losing_run_is_pruned_and_says_why(tmp_path, command, reading):
    rates = "optimizer.lr=0.00001,0.0001,0.003,0.00002"
    words = ["-m", "data=synthetic", "experiment=debug", "pruner=asha", "pruner.eta=2", rates]
    printed = command.run(tmp_path, *words).stdout
    assert "job 3 pruned" in printed
    trials = reading.runs(tmp_path)
    (pruned,) = [trial for trial in trials if trial.data.params["optimizer.lr"] == "2e-05"]
    assert pruned.info.status == "KILLED"
    assert pruned.data.tags["digit_exp.stop_reason"] == "pruned"
    assert float(pruned.data.tags["pruned.threshold"]) > pruned.data.metrics["best_val_acc"]
    assert "test_acc" not in pruned.data.metrics
    assert reading.table(printed).splitlines()[3].split()[1] == "0.003"


@pytest.mark.slow
def test_eight_workers_meet_a_fresh_store(tmp_path, fresh_command, reading):
    words = [*GRID[:3], "seed=1,2,3,4,5,6,7,8", JOBLIB[0], "hydra.launcher.n_jobs=8"]
    fresh_command.run(tmp_path, *words)
    assert [trial.info.status for trial in reading.runs(tmp_path)] == ["FINISHED"] * 8


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_draws_the_report(tmp_path, fresh_command):
    fresh_command.run(tmp_path, *UNTRACKED)
    (page,) = tmp_path.glob("outputs/sweeps/*/report.html")
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    offline = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
    own = [f"--user-data-dir={tmp_path / 'browser'}", "--disable-sync", "--dump-dom"]
    # the page draws itself in a canvas of the browser: what is read back are its pixels
    probe = tmp_path / "probe.html"
    script = (
        "<script>onload = () => { for (const i of document.images) {"
        " const c = document.createElement('canvas'); c.width = c.height = 50;"
        " const x = c.getContext('2d'); x.drawImage(i, 0, 0, 50, 50);"
        " const colours = new Set(x.getImageData(0, 0, 50, 50).data).size;"
        " const seen = i.naturalWidth > 500 && colours > 20;"
        " i.insertAdjacentHTML('afterend', `<i class='drawn'>${seen}</i>`);"
        "} };</script>"
    )
    probe.write_text(page.read_text(encoding="utf-8") + script, encoding="utf-8")
    done = subprocess.run(
        [*chromium, *offline, *own, probe.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count('<i class="drawn">true</i>') == page.read_text().count("<img")
    assert '<i class="drawn">false</i>' not in done.stdout
    assert done.stdout.count("the winner") >= 1


RACE = [
    *("-m", "data=synthetic", "trainer.epochs=3", "tracking=none", "sweep.replicates=3"),
    *("sweep.race=true", "optimizer.lr=0.00001,0.003,0.004", "model.hidden=[32],[40]"),
]


def beyond_hope(reading, printed):
    """Return the rows of a race whose candidates were dropped."""
    rows = [line for line in reading.table(printed).splitlines() if line[:1].isdigit()]
    return [row for row in rows if "dropped" in row]


def test_a_race_drops_candidates_that_are_too_far_behind_and_goes_on_after_a_kill(
    tmp_path, command, reading
):
    code, _ = command.interrupt(tmp_path, *RACE, after="[ 8/18]", by=signal.SIGKILL)
    assert code == -signal.SIGKILL
    printed = command.run(tmp_path, *RACE).stdout
    assert printed.count("was done before") >= 7
    assert [row for row in beyond_hope(reading, printed) if "1e-05" in row]


@pytest.mark.slow
def test_a_race_in_several_processes_drops_candidates_that_are_too_far_behind(
    tmp_path, fresh_command, reading
):
    printed = fresh_command.run(tmp_path, *RACE, *JOBLIB).stdout
    assert all("1e-05" in row for row in beyond_hope(reading, printed))
    assert printed.count("done: ") + printed.count(" dropped, ") == 18


SEARCH = [
    *("sweep=random", "data=synthetic", "trainer.epochs=2", "model.hidden=[32]", "sweep.name=s"),
    *("sweep.replicates=3", "sweep.race=true", "hydra.sweeper.n_trials=4"),
    *("trainer.batch_size=32", "regularization.l2=0.0001", "regularization.dropout=0.2"),
    "optimizer.lr=0.000001,0.003,0.000002,0.000004",  # the second is drawn first
]


@pytest.mark.slow
def test_a_search_with_a_race_goes_on_after_a_kill_and_is_told_the_same_means(
    tmp_path, command, reading
):
    code, _ = command.interrupt(tmp_path, *SEARCH, after="[ 5/12]", by=signal.SIGKILL)
    assert code == -signal.SIGKILL
    before = {run.info.run_id for run in reading.runs(tmp_path) if run.info.status == "FINISHED"}
    command.run(tmp_path, *SEARCH)
    scores = {}
    for run in reading.runs(tmp_path):
        assert run.info.status == "FINISHED"
        candidate = scores.setdefault(run.data.params["optimizer.lr"], {})
        assert run.data.params["seed"] not in candidate  # no job was run twice
        candidate[run.data.params["seed"]] = run.data.metrics["best_val_acc"]
        before.discard(run.info.run_id)
    assert not before
    assert {len(candidate) for candidate in scores.values()} == {1, 3}  # some were dropped
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/mlruns/optuna.db")
    told = {trial.value for trial in study.trials if trial.state.name == "COMPLETE"}
    assert sorted(told) == pytest.approx(sorted({fmean(each.values()) for each in scores.values()}))
    assert len(reading.runs(tmp_path, "sweep")) == 1
