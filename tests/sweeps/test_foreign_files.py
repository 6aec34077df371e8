"""Copies of job folders, and files of other programs, in the folder of a sweep: none matters."""

import shutil

import pytest

from digit_exp.pruning.pruners import number_of
from digit_exp.runs import paths
from digit_exp.runs.saved.lookup import Runs
from digit_exp.sweeps.collect import PeerHistories, results_of
from digit_exp.sweeps.outcomes import Outcome, OutcomeLog
from digit_exp.sweeps.previous import checkpoint_in_folder
from digit_exp.training.checkpoint import load_network, save_network

JOB = "0123456789abcdef"


@pytest.fixture
def sweep(tmp_path, train):
    """The folder of a sweep of one job, with its copy and much that is not a job."""
    sweep = tmp_path / "outputs" / "sweeps" / "mine"
    job = train(sweep / JOB)
    shutil.copytree(job, sweep / f"{JOB}-copy")
    shutil.copytree(job, sweep / "copy of it" / JOB)
    (sweep / "notes.txt").write_text("mine")
    (sweep / "fedcba9876543210").mkdir()
    (sweep / "fedcba9876543210" / "run.json").write_text("{}")
    (sweep / "0000000000000000").write_text("a file")
    return sweep


def test_a_copy_is_no_job_of_the_report_and_no_rival(sweep):
    (found,) = results_of(None, sweep)
    assert found.status == "FINISHED"
    histories = PeerHistories(None, sweep, "val_acc")()
    assert set(histories[number_of(JOB)]) == {1, 2, 3}
    assert not any(history for number, history in histories.items() if number != number_of(JOB))


def test_a_copy_is_no_run_of_its_own(sweep):
    runs = Runs(sweep.parents[1])
    assert [run.folder for run in runs.all] == [sweep / JOB]
    assert runs.find(runs.all[0].name).folder == sweep / JOB
    assert [run.folder for run in runs.all_matching(str(sweep))] == [sweep / JOB]


def test_a_job_killed_before_it_wrote_its_configuration_is_left_out(sweep, train):
    other = train(sweep / "fedcba9876543211", "seed=1")
    (other / "config.yaml").unlink()
    assert len(results_of(None, sweep)) == 1


def test_a_network_in_the_place_of_a_checkpoint_is_not_resumed(sweep):
    file = sweep / JOB / paths.LAST_CHECKPOINT
    assert checkpoint_in_folder(sweep / JOB)
    save_network(file, load_network(file))
    assert checkpoint_in_folder(sweep / JOB) is None


class Ticket:
    command = "one"

    def __init__(self, folder):
        self.folder = str(folder)


def test_foreign_files_among_the_outcomes_are_left_out(tmp_path):
    outcomes = OutcomeLog(Ticket(tmp_path), None)
    outcomes.add(Outcome(3, "job", "done"))
    (tmp_path / "jobs" / "one" / ".DS_Store").write_text("")
    (tmp_path / "jobs" / "one" / "3 copy.json").write_text("{}")
    assert [entry.number for entry in outcomes.entries()] == [3]
