"""Sweeps through the launchers of the extras: Ray on this machine, submitit's local executor."""

import json

import pytest
from mlflow import MlflowClient

GRID = ["-m", "data=synthetic", "trainer.epochs=3", "optimizer=sgd,adam", "sweep.name=mine"]
RAY = [
    "hydra/launcher=ray",
    "hydra.launcher.ray.init.address=local",  # not one that runs on this machine already
    "+hydra.launcher.ray.init.num_cpus=2",
]
SUBMITIT = ["hydra/launcher=submitit_local"]


def words(folder):
    """Return how the jobs ended, from the sweep's folder: a launcher may hold back its output."""
    lines = (folder / "outputs/sweeps/mine/jobs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["word"] for line in lines]


def table(printed):
    """Return the ranking at the end of a sweep; a worker's line may still come after it."""
    return printed[printed.index("\n#  ") : printed.index("\nreport:")]


def check_a_sweep_and_the_same_again(folder, command, launcher):
    printed = command.run(folder, *GRID, *launcher).stdout
    assert words(folder) == ["done"] * 2
    assert (folder / "outputs/sweeps/mine/report.html").is_file()

    again = command.run(folder, *GRID, *launcher).stdout
    assert words(folder)[2:] == ["was done before"] * 2
    assert table(again) == table(printed)

    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits").experiment_id
    parents, trials = (
        client.search_runs([experiment], f"tags.\"digit_exp.kind\" = '{kind}'")
        for kind in ("sweep", "trial")
    )
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert [run.info.status for run in trials] == ["FINISHED"] * 2
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parents[0].info.run_id}


@pytest.mark.slow
def test_a_sweep_runs_through_ray_and_its_jobs_are_recognised_again(tmp_path, command):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    check_a_sweep_and_the_same_again(tmp_path, command, RAY)


@pytest.mark.slow
def test_a_sweep_runs_through_submitit_and_its_jobs_are_recognised_again(tmp_path, command):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    check_a_sweep_and_the_same_again(tmp_path, command, SUBMITIT)
