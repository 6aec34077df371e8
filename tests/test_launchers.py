"""Sweeps through the launchers of the extras: Ray, submitit, and what they take for a cluster."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

import slurm

GRID = ["-m", "data=synthetic", "trainer.epochs=3", "optimizer=sgd,adam", "sweep.name=mine"]
RAY = [
    "hydra/launcher=ray",
    "hydra.launcher.ray.init.address=local",  # not one that runs on this machine already
    "+hydra.launcher.ray.init.num_cpus=2",
]
SUBMITIT = ["hydra/launcher=submitit_local"]
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=any"]

pytestmark = pytest.mark.slow


def check_a_sweep_and_the_same_again(folder, fresh_command, reading, launcher, **environment):
    printed = fresh_command.run(folder, *GRID, *launcher, **environment).stdout
    before_the_ranking = printed[: printed.index("\n#  ")]
    assert before_the_ranking.count(" done: optimizer=") == 2
    assert "[2/2]" in before_the_ranking
    assert (folder / "outputs/sweeps/mine/report.html").is_file()

    again = fresh_command.run(folder, *GRID, *launcher, **environment).stdout
    assert again[: again.index("\n#  ")].count(" was done before: ") == 2
    assert reading.table(again) == reading.table(printed)

    parents, trials = reading.runs(folder, "sweep"), reading.runs(folder)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert [run.info.status for run in trials] == ["FINISHED"] * 2
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parents[0].info.run_id}


def test_a_sweep_runs_through_ray_and_its_jobs_are_recognised_again(
    tmp_path, fresh_command, reading
):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    check_a_sweep_and_the_same_again(tmp_path, fresh_command, reading, RAY)


def test_a_sweep_runs_on_a_ray_that_was_there_before(
    tmp_path, fresh_command, reading, servers, monkeypatch
):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else both sides need a token
    place, port = tmp_path / "ray", servers.free_port()
    place.mkdir()
    program = Path(sys.executable).with_name("ray")
    head = [program, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}"]
    options = ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]

    def answer():
        socket.create_connection(("127.0.0.1", port), 1).close()

    with servers.running([*head, *options], place, answer, stop=signal.SIGTERM):
        address = f"hydra.launcher.ray.init.address=127.0.0.1:{port}"
        memory = "+hydra.launcher.ray.init.object_store_memory=null"
        store = f"tracking.uri=sqlite:///{tmp_path}/mlruns/mlflow.db"  # its jobs start elsewhere
        launcher = [RAY[0], address, memory, store]
        check_a_sweep_and_the_same_again(tmp_path, fresh_command, reading, launcher)


def test_a_sweep_runs_through_submitit_and_its_jobs_are_recognised_again(
    tmp_path, fresh_command, reading
):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    check_a_sweep_and_the_same_again(tmp_path, fresh_command, reading, SUBMITIT)


def test_a_sweep_runs_through_the_commands_of_slurm(tmp_path, fresh_command, reading):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    commands = tmp_path / "bin"
    commands.mkdir()
    slurm.install(commands)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    check_a_sweep_and_the_same_again(tmp_path, fresh_command, reading, SLURM, PATH=path)
    assert (commands / "states").read_text().count("COMPLETED") == 4
