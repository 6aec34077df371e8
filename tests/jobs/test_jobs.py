"""Jobs of any Hydra application: recognised, pruned, dropped and compared."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hydra.conf import HydraConf, JobConf, RuntimeConf, SweepDir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

import digit_exp
from digit_exp.analysis.objective import Objective
from digit_exp.jobs import job as jobs
from digit_exp.jobs.comparison import lines, plain, ranking_in
from digit_exp.jobs.job import JobIsRunning
from digit_exp.jobs.record import read_record, read_reports
from digit_exp.jobs.settings import pruner_of
from digit_exp.registry import ConfigError

APP = Path(__file__).parents[2] / "examples" / "any_hydra_app" / "app.py"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call a task as Hydra does for a job of a sweep."""
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    numbers = iter(range(100))

    def call(task, sweeper=None, **values):
        hydra = HydraConf(
            mode=RunMode.MULTIRUN,
            sweep=SweepDir(dir="sweep", subdir="0"),
            runtime=RuntimeConf(version="1", version_base="1.3", cwd=str(tmp_path)),
            job=JobConf(num=next(numbers)),
            sweeper={"metric": "height", "direction": "minimize", **(sweeper or {})},
        )
        HydraConfig.instance().set_config(OmegaConf.create({"hydra": hydra}))
        task = task if hasattr(task, "__wrapped__") else digit_exp.job(task)
        return task(OmegaConf.create({"seed": 1, **values}))

    return call


def only_job(tmp_path):
    (folder,) = (path for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    return folder


def test_a_job_that_has_ended_is_not_run_again(call):
    ran = []

    def task(cfg):
        ran.append(cfg.x)
        return cfg.x**2

    assert [call(task, x=x) for x in (2, 3, 2)] == [4, 9, 4]
    assert ran == [2, 3]


def test_half_a_report_of_a_killed_process_does_not_spoil_the_next_one(call, tmp_path):
    def task(cfg):
        file = digit_exp.job_folder() / "metrics.jsonl"
        if not file.exists():
            digit_exp.report(0.5, step=1)
            file.write_text(file.read_text() + '{"step": 2, "val')
            raise RuntimeError("killed")
        digit_exp.report(0.4, step=2)

    with pytest.raises(RuntimeError):
        call(task, x=1)
    call(task, x=1)
    assert read_reports(only_job(tmp_path)) == {1: {"value": 0.5}, 2: {"value": 0.4}}


def test_other_code_is_another_job(call, monkeypatch):
    ran = []
    call(lambda cfg: ran.append(cfg.x), x=1)
    monkeypatch.setattr(jobs, "code_of", lambda task: {"digest": "another"})
    call(lambda cfg: ran.append(cfg.x), x=1)
    assert ran == [1, 1]


def test_a_job_is_the_same_in_a_worker_that_has_the_function_without_its_file(
    call, tmp_path, monkeypatch
):
    (tmp_path / "app.py").write_text("def task(cfg):\n    return 1.0\n")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(Path("app.py").read_text(), "app.py", "exec"), names)
    task = digit_exp.job(names["task"])
    monkeypatch.chdir(tmp_path.parent)
    call(task)
    assert "digest" in read_record(only_job(tmp_path)).code


def test_a_job_that_failed_says_why_and_is_tried_again(call, tmp_path):
    def fails(cfg):
        raise ZeroDivisionError("too steep")

    with pytest.raises(ZeroDivisionError):
        call(fails)
    record = read_record(only_job(tmp_path))
    assert (record.status, record.reason) == ("FAILED", "ZeroDivisionError: too steep")
    assert call(lambda cfg: 3.0) == 3.0


def test_a_job_finds_what_it_kept_before_it_was_interrupted(call, tmp_path):
    def task(cfg):
        state = digit_exp.job_folder() / "step"
        first = int(state.read_text()) if state.exists() else 0
        for step in range(first + 1, 5):
            digit_exp.report({"height": float(10 - step)}, step)
            state.write_text(str(step))
            if step == 2 and first == 0:
                raise KeyboardInterrupt
        return

    with pytest.raises(KeyboardInterrupt):
        call(task)
    assert call(task) == 6.0  # the best that it reported
    assert list(read_reports(only_job(tmp_path))) == [1, 2, 3, 4]


def test_reports_of_an_attempt_that_began_anew_replace_the_others(call, tmp_path):
    def task(cfg):
        digit_exp.report({"height": 1.0}, 1)
        digit_exp.report({"height": 0.5}, 2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(task)

    def again(cfg):
        digit_exp.report({"height": 3.0}, 1)

    assert call(again) == 3.0
    assert read_reports(only_job(tmp_path)) == {1: {"height": 3.0}}


def test_a_job_behind_the_others_is_pruned_with_the_best_that_it_had(call, tmp_path):
    def task(cfg):
        for step in (1, 2, 3):
            digit_exp.report({"height": cfg.level - step}, step)
        return cfg.level - 3

    pruner = {"pruner": {"name": "median", "startup_runs": 2, "warmup_epochs": 1}}
    assert [call(task, pruner, level=level) for level in (4, 5, 9)] == [1, 2, 7]
    ended = {r.config["level"]: r.status for r in map(read_record, (tmp_path / "sweep").iterdir())}
    assert ended == {4: "FINISHED", 5: "FINISHED", 9: "PRUNED"}


def test_a_race_drops_a_candidate_that_is_beyond_hope(call, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "race.json").write_text('{"seeds": [1, 2, 3], "candidates": 2}')

    def task(cfg):
        return cfg.x + 0.01 * (cfg.seed * (cfg.x + 7) % 5)  # some noise

    pairs = [(x, seed) for seed in (1, 2, 3) for x in (0, 101)]
    found = {pair: call(task, {"race": True}, x=pair[0], seed=pair[1]) for pair in pairs}
    assert found[0, 3] == 0.01
    assert found[101, 2] is not None
    assert found[101, 3] is None


def test_one_process_at_a_time_runs_a_job(call, tmp_path):
    call(lambda cfg: None)
    (only_job(tmp_path) / "job.json").unlink()
    with FileLock(only_job(tmp_path) / ".lock"), pytest.raises(JobIsRunning, match="another"):
        call(lambda cfg: 1.0)


def test_the_ranking_is_of_replicates_and_of_either_sign(call, tmp_path):
    for x, seed in ((-5, 1), (-5, 2), (3, 1), (3, 2)):
        call(lambda cfg: cfg.x + cfg.seed / 10, x=x, seed=seed)
    up = ranking_in(tmp_path / "sweep", Objective("value", maximize=True, name="gain"))
    down = plain(ranking_in(tmp_path / "sweep", Objective("value", maximize=False)))
    assert up.winner.group.parameters == {"x": 3}
    assert [place["parameters"] for place in down["configurations"]] == [{"x": -5}, {"x": 3}]
    assert down["configurations"][0]["mean"] == pytest.approx(-4.85)
    assert up.places[1].summary.low < -4.85  # not cut off at 0, as that of a loss
    assert "gain" in lines(up)
    assert "test" not in lines(up)


def test_only_jobs_of_the_latest_code_are_compared(call, tmp_path, monkeypatch):
    call(lambda cfg: 1.0, x=1)
    monkeypatch.setattr(jobs, "code_of", lambda task: {"digest": "another"})
    call(lambda cfg: 2.0, x=1)
    found = ranking_in(tmp_path / "sweep", Objective("value", maximize=False))
    assert [job.metrics["value"] for job in found.results] == [2.0]


def test_a_call_without_hydra_just_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    monkeypatch.chdir(tmp_path)

    def task(cfg):
        digit_exp.report(1.5, 1)
        return 7.0

    assert digit_exp.job(task)(OmegaConf.create({})) == 7.0
    assert not list(tmp_path.iterdir())


def test_the_order_of_the_decorators_is_checked():
    with pytest.raises(TypeError, match=r"below @hydra\.main"):
        digit_exp.job(lambda cfg: None)()


@pytest.mark.parametrize("step", [0, 1.5, True])
def test_a_step_is_a_whole_number_from_one(step):
    with pytest.raises(ValueError, match="step"):
        digit_exp.report({"height": 1.0}, step)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"name": "medan"}, "hydra.sweeper.pruner"),
        ({"name": "median", "startup": 1}, "hydra.sweeper.pruner.startup"),
        ({"name": "median", "startup_runs": 0}, "hydra.sweeper.pruner.startup_runs"),
    ],
)
def test_a_wrong_pruner_is_refused_by_the_key(settings, path):
    with pytest.raises(ConfigError) as caught:
        pruner_of(settings)
    assert [problem.path for problem in caught.value.problems] == [path]


def test_the_example_is_searched_and_goes_on(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def search(trials):
        words = ["--config-name", "search", "-m", "steps=3", f"hydra.sweeper.n_trials={trials}"]
        monkeypatch.setattr(sys, "argv", [str(APP), *words])
        runpy.run_path(str(APP), run_name="__main__")
        ranking = json.loads((tmp_path / "sweeps" / "app" / "ranking.json").read_text())
        return [place["jobs"][0]["folder"] for place in ranking["configurations"]]

    first = search(1)
    both = search(2)
    assert len(first) == 1
    assert len(both) == 2
    assert set(first) < set(both)
    assert "height" in capfd.readouterr().out
