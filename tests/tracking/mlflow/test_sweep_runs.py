import os
import subprocess
import sys
import time
from pathlib import PurePosixPath

import pytest
from mlflow.entities import RunTag

from digit_exp.registry import ConfigError
from digit_exp.tracking import ownership
from digit_exp.tracking.base import Status, TrackingError
from digit_exp.tracking.mlflow import queries
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.queries import RUNNING
from digit_exp.tracking.mlflow.sweep_runs import open_sweep
from digit_exp.tracking.mlflow.sync import mlflow_tracker
from digit_exp.tracking.mlflow.uri import locate
from tracked_runs import epochs, tracked

OPEN_SLOWLY = """
import sys, time
from pathlib import Path
from mlflow import MlflowClient
from digit_exp.tracking.mlflow.sweep_runs import open_sweep

create = MlflowClient.create_run

def create_slowly(*arguments, **options):
    time.sleep(2)  # long enough for the other process to find no parent either
    return create(*arguments, **options)

MlflowClient.create_run = create_slowly
print("ready", flush=True)
input()
print(open_sweep("grid", folder=Path(sys.argv[1])).parent_id)
"""


@pytest.fixture
def sweep(folder):
    return open_sweep("grid", folder=folder)


def run_trial(folder, sweep, config_hash="abc", *, status=Status.FINISHED, **options):
    with tracked(folder, tags=sweep.identity(config_hash), **options) as run:
        run.now(
            params={"optimizer.lr": 0.01},
            epochs=epochs({"train_loss": 0.5, "val_acc": 0.8}, {"train_loss": 0.3}),
            summary={"best_val_acc": 0.8},
        )
        run.close(status)
    return run.run_id


def status_of(folder, run_id):
    return connect(locate(None, folder)).get_run(run_id).info.status


def leave_running(sweep, **tags):
    """A trial whose process never came to say how it ended."""
    run = sweep.client.create_run(
        sweep.experiment_id, tags={**sweep.identity("abc"), **ownership.claim(), **tags}
    )
    return run.info.run_id


def ended_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return str(process.pid)


def test_the_parent_says_what_it_is_and_how_the_sweep_ended(folder, sweep):
    run = sweep.client.get_run(sweep.parent_id)
    wanted = {
        "digit_exp.kind": "sweep",
        "digit_exp.sweep": "grid",
        "digit_exp.pid": str(os.getpid()),
    }
    assert wanted.items() <= run.data.tags.items()
    assert run.info.run_name == "grid"
    assert run.info.status == "RUNNING"
    sweep.end(Status.FAILED)
    assert status_of(folder, run.info.run_id) == "FAILED"


def test_the_parent_is_found_again_by_name_and_runs_again(folder, sweep):
    sweep.end(Status.KILLED)
    again = open_sweep("grid", folder=folder)
    assert again.parent_id == sweep.parent_id
    assert status_of(folder, again.parent_id) == "RUNNING"
    assert open_sweep("other", folder=folder).parent_id != sweep.parent_id


def test_processes_that_start_at_once_agree_on_one_parent(folder):
    command = [sys.executable, "-c", OPEN_SLOWLY, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    parents = {process.communicate()[0].strip() for process in processes}
    assert len(parents) == 1
    sweep = open_sweep("grid", folder=folder)
    assert {sweep.parent_id} == parents
    assert len(sweep.client.search_runs([sweep.experiment_id])) == 1


def test_of_two_parents_made_on_two_machines_the_older_one_counts(folder, sweep):
    tags = {"digit_exp.kind": "sweep", "digit_exp.sweep": "grid"}
    sweep.client.create_run(sweep.experiment_id, tags=tags)
    assert open_sweep("grid", folder=folder).parent_id == sweep.parent_id


def test_notes_and_files_are_kept_on_the_parent(sweep, tmp_path):
    (tmp_path / "best.yaml").write_text("seed: 1")
    sweep.publish({"report/best.yaml": tmp_path / "best.yaml"}, "# Report")
    run = sweep.client.get_run(sweep.parent_id)
    assert run.data.tags["mlflow.note.content"] == "# Report"
    (file,) = sweep.client.list_artifacts(sweep.parent_id, "report")
    assert file.path == "report/best.yaml"


def test_a_child_is_nested_and_known_with_what_it_measured(folder, sweep):
    run_id = run_trial(folder, sweep)
    (trial,) = sweep.children()
    assert (trial.run_id, trial.status) == (run_id, "FINISHED")
    wanted = {
        "mlflow.parentRunId": sweep.parent_id,
        "digit_exp.kind": "trial",
        "digit_exp.sweep": "grid",
        "digit_exp.config_hash": "abc",
    }
    assert wanted.items() <= trial.tags.items()
    assert trial.params == {"optimizer.lr": "0.01"}
    assert trial.metrics == {"train_loss": 0.3, "val_acc": 0.8, "best_val_acc": 0.8}


def test_a_run_resumed_within_a_sweep_belongs_to_it(folder, sweep):
    with tracked(folder) as run:
        run.close(Status.KILLED)
    run_trial(folder, sweep, run_id=run.run_id)
    assert [trial.run_id for trial in sweep.children()] == [run.run_id]


def test_children_are_those_of_this_sweep_only(folder, sweep):
    run_trial(folder, open_sweep("other", folder=folder))
    with tracked(folder):
        pass
    assert sweep.children() == []


def test_all_pages_of_children_are_read(folder, sweep, monkeypatch):
    made = [leave_running(sweep) for _ in range(5)]
    monkeypatch.setattr(queries, "PAGE", 2)
    assert sorted(trial.run_id for trial in sweep.children()) == sorted(made)


def test_a_configuration_is_found_by_its_hash_and_preferably_finished(folder, sweep):
    finished = run_trial(folder, sweep)
    run_trial(folder, sweep, status=Status.FAILED)
    failed = [run_trial(folder, sweep, "def", status=Status.FAILED) for _ in range(2)]
    assert sweep.find("abc").run_id == finished
    assert sweep.find("def").run_id == failed[-1]
    assert sweep.find("nothing") is None


def test_a_superseded_trial_leaves_the_sweep_but_stays_a_run(folder, sweep):
    run_id = run_trial(folder, sweep)
    sweep.supersede(sweep.find("abc"))
    assert sweep.children() == []
    assert status_of(folder, run_id) == "FINISHED"


def test_the_history_of_a_trial_has_each_epoch_with_what_it_measured(folder, sweep):
    run_trial(folder, sweep)
    assert sweep.history(sweep.find("abc"), "train_loss", "val_acc", "unknown") == [
        {"epoch": 1, "train_loss": 0.5, "val_acc": 0.8},
        {"epoch": 2, "train_loss": 0.3},
    ]


def test_only_trials_of_dead_processes_of_this_machine_are_called_killed(folder, sweep):
    finished = run_trial(folder, sweep, "def")
    gone = ended_process()  # after that one, as whoever opens a run looks for the dead
    dead = leave_running(sweep, **{"digit_exp.pid": gone})
    mine = leave_running(sweep)
    elsewhere = leave_running(sweep, **{"digit_exp.pid": gone, "digit_exp.host": "another"})
    assert [trial.run_id for trial in sweep.mark_dead()] == [dead]
    assert [status_of(folder, run) for run in (dead, mine, elsewhere, finished)] == [
        "KILLED",
        "RUNNING",
        "RUNNING",
        "FINISHED",
    ]
    assert sweep.mark_dead() == []
    assert [trial.run_id for trial in sweep.mark_dead(and_own=True)] == [mine]
    assert status_of(folder, mine) == "KILLED"


def test_a_trial_of_another_machine_is_dead_after_five_silent_minutes(folder, sweep):
    elsewhere = {"digit_exp.host": "another", "digit_exp.pid": "1"}
    silent = leave_running(
        sweep, **elsewhere, **{"digit_exp.heartbeat": f"{time.time() - 310:.0f}"}
    )
    heard = leave_running(sweep, **elsewhere, **{"digit_exp.heartbeat": f"{time.time() - 200:.0f}"})
    assert [trial.run_id for trial in sweep.children(RUNNING) if trial.is_running] == [heard]
    assert [trial.run_id for trial in sweep.mark_dead()] == [silent]
    assert status_of(folder, silent) == "KILLED"
    with pytest.raises(TrackingError, match=r"still running, as process 1 on another, last heard"):
        run_trial(folder, sweep, run_id=heard)
    assert run_trial(folder, sweep, run_id=silent) == silent


def test_a_process_that_was_thought_dead_learns_that_its_run_was_taken_over(
    folder, sweep, monkeypatch, caplog
):
    monkeypatch.setattr(mlflow_tracker, "BEAT_SECONDS", 0)
    with tracked(folder, tags=sweep.identity("abc")) as run:
        theirs = {"heartbeat": "0", "host": "another", "pid": "1"}
        tags = [RunTag(f"digit_exp.{name}", text) for name, text in theirs.items()]
        sweep.client.log_batch(run.run_id, tags=tags)
        run.now(summary={"test_acc": 0.5})
        run.close()
        with pytest.raises(TrackingError, match=r"taken over by process 1 on another"):
            run.tracker.check()
    assert not run.is_all
    assert "digit-exp sync" not in caplog.text  # which would be refused as well
    trial = sweep.find("abc")
    assert trial.status == "RUNNING"  # the other one will say how it ended
    assert trial.tags["digit_exp.pid"] == "1"


def test_the_heart_of_a_run_beats_in_the_store(folder, sweep, monkeypatch):
    monkeypatch.setattr(mlflow_tracker, "BEAT_SECONDS", 0)
    with tracked(folder, tags=sweep.identity("abc")) as run:
        sweep.client.set_tag(run.run_id, "digit_exp.heartbeat", "0")
        run.now(summary={"test_acc": 0.5})
    assert abs(int(sweep.find("abc").tags["digit_exp.heartbeat"]) - time.time()) < 600


def test_of_two_that_begin_the_same_job_at_once_the_older_run_counts(folder, sweep):
    first = leave_running(sweep)
    assert not sweep.is_taken("abc", first)
    second = leave_running(sweep)
    assert not sweep.is_taken("abc", first)
    assert sweep.is_taken("abc", second)
    sweep.client.set_terminated(first, "FAILED")
    assert not sweep.is_taken("abc", second)


def test_files_of_a_trial_are_fetched_if_it_has_them(folder, sweep, tmp_path):
    run_id = run_trial(folder, sweep)
    (trial,) = sweep.children()
    assert sweep.fetch(trial.run_id, PurePosixPath("checkpoints"), tmp_path / "new") is None
    sweep.client.log_text(run_id, "state", "checkpoints/last.npz")
    found = sweep.fetch(trial.run_id, PurePosixPath("checkpoints"), tmp_path / "new")
    assert found == tmp_path / "new" / "checkpoints"
    assert (found / "last.npz").read_text() == "state"
    assert (
        sweep.fetch(trial.run_id, PurePosixPath("checkpoints/best.npz"), tmp_path / "new") is None
    )


def test_a_process_that_only_inherited_the_number_is_not_the_owner(sweep):
    # this process has the number, but the run was claimed long before it started
    claimed = {"digit_exp.since": "1000000000"}
    assert ownership.is_gone({**ownership.claim(), **claimed})
    run_id = leave_running(sweep, **claimed)
    assert [trial.run_id for trial in sweep.mark_dead()] == [run_id]


@pytest.mark.parametrize("name", ["", "it's", 'a "b"', "back\\slash", "two\nlines", "x" * 201])
def test_a_name_that_cannot_be_searched_for_is_refused(folder, name):
    with pytest.raises(ConfigError, match=r"sweep\.name: .* without quotes and backslashes"):
        open_sweep(name, folder=folder)


def test_a_name_may_be_what_people_write(folder):
    name = "lr=1e-3,1e-2 · größe (50%)"
    sweep = open_sweep(name, folder=folder)
    run_trial(folder, sweep)
    assert len(sweep.children()) == 1
    assert sweep.children()[0].tags["digit_exp.sweep"] == name


@pytest.mark.slow
def test_a_sweep_works_through_a_server(server, tmp_path):
    sweep = open_sweep("grid", uri=server, folder=tmp_path)
    assert open_sweep("grid", uri=server, folder=tmp_path).parent_id == sweep.parent_id
    run_id = run_trial(tmp_path, sweep, uri=server)
    dead = leave_running(sweep, **{"digit_exp.pid": ended_process()})
    assert [trial.run_id for trial in sweep.mark_dead()] == [dead]
    assert {trial.run_id: trial.status for trial in sweep.children()} == {
        run_id: "FINISHED",
        dead: "KILLED",
    }
    assert sweep.find("abc").run_id == run_id
    (tmp_path / "report.md").write_text("# Report")
    sweep.publish({"report.md": tmp_path / "report.md"}, "# Report")
    (file,) = sweep.client.list_artifacts(sweep.parent_id)
    assert file.path == "report.md"
    sweep.end(Status.FINISHED)
    assert sweep.client.get_run(sweep.parent_id).info.status == "FINISHED"
    assert not (tmp_path / "mlruns").exists()
