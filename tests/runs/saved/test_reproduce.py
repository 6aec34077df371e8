"""A run trained again: the same to the last bit, near enough, or not, and since which epoch."""

import json
import math

import pytest

from digit_exp.cli.entry import main
from digit_exp.optim.optimizers import Adam
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.reproduce import Verdict, compare_runs, first_difference


@pytest.fixture
def original(tmp_path, train, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return train(tmp_path / "outputs" / "one", "run_name=one")


def train_otherwise(monkeypatch, factor):
    """Let every step be longer by a factor, as another library or machine might round."""
    update = Adam.update
    monkeypatch.setattr(
        Adam, "update", lambda self, v, g, s, lr, step: update(self, v, g, s, factor * lr, step)
    )


def test_the_same_program_comes_to_the_same_bits(original, capsys):
    assert main(["reproduce", "one"]) == Verdict.identical.value == 0
    printed = capsys.readouterr().out
    assert "environment: same" in printed
    assert "epochs: 3 compared, every metric bit-identical" in printed
    assert printed.count("bit-identical") == 4
    assert printed.rstrip().endswith("verdict: bit-identical")
    (again,) = original.parent.glob("reproductions/*")
    assert RunRecord.read(again).tags["digit_exp.reproduces"] == "one"


def test_a_little_rounding_is_found_in_its_epoch_and_tolerated(original, capsys, monkeypatch):
    train_otherwise(monkeypatch, 1 + 1e-5)
    assert main(["reproduce", "one", "--out", "again"]) == Verdict.tolerable.value == 3
    printed = capsys.readouterr().out
    assert "epochs: 3 compared, epoch 1 is the first to differ" in printed
    assert "train_loss:" in printed
    assert "within tolerance (accuracies within 0.5 points)" in printed


def test_another_program_does_not_reproduce_and_the_version_that_differs_is_named(
    original, capsys, monkeypatch
):
    record = RunRecord.read(original)
    record.tags["version.numpy"] = "1.0"
    record.write(original)
    train_otherwise(monkeypatch, 0.0)
    assert main(["reproduce", "one"]) == Verdict.different.value == 1
    printed = capsys.readouterr().out
    assert "version.numpy: 1.0 then" in printed
    assert "NOT reproduced (accuracies more than 0.5 points apart)" in printed


def test_threads_are_those_of_the_run_whatever_the_machine_has(original, capsys, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    config = original / "config.yaml"
    config.write_text(config.read_text().replace("threads: 1", "threads: 2"))
    main(["reproduce", "one", "--out", "again"])
    assert RunRecord.read(original.parents[1] / "again").tags["threads"] == "2"


def test_a_run_of_version_0_1_left_its_threads_open(original, capsys):
    config = original / "config.yaml"
    config.write_text(config.read_text().replace("threads: 1", "threads: null"))
    assert main(["reproduce", "one"]) == 0
    assert "bit-identical" in capsys.readouterr().out


def test_other_data_are_refused_before_training(original, capsys):
    config = original / "config.yaml"
    config.write_text(config.read_text().replace("samples: 200", "samples: 201"))
    assert main(["reproduce", "one"]) == 2
    assert "the data set has changed since one" in capsys.readouterr().err
    assert not (original.parent / "reproductions").exists()


def test_a_folder_that_exists_is_not_written_into(original, capsys):
    assert main(["reproduce", "one", "--out", str(original)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_one_that_broke_off_is_compared_as_far_as_it_came(tmp_path, train):
    whole = Runs().find(str(train(tmp_path / "whole")))
    part = Runs().find(str(train(tmp_path / "part", "trainer.epochs=2", "schedule=constant")))
    found = compare_runs(part, whole)
    assert found.epochs == 2
    assert found.weights is None


def test_times_do_not_count_and_what_is_not_a_number_equals_itself():
    then = [{"epoch": 1, "train_loss": math.nan, "epoch_seconds": 1.0}]
    assert first_difference(then, [{**then[0], "epoch_seconds": 2.0}]) is None
    found = first_difference(
        [*then, {"epoch": 2, "a": 1.0}], [*then, {"epoch": 2, "a": 1 + 2**-52}]
    )
    assert found.epoch == 2
    assert found.values == {"a": (1.0, 1 + 2**-52)}


def test_a_program_reads_how_the_two_runs_differ(original, capsys, monkeypatch):
    train_otherwise(monkeypatch, 1 + 1e-5)
    assert main(["reproduce", "one", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert {*report} == {
        *("verdict", "original", "again", "epochs", "first_difference", "environment"),
        *("weights", "predictions", "tolerance"),
    }
    assert (report["verdict"], report["epochs"], report["tolerance"]) == ("tolerable", 3, 0.005)
    assert report["original"]["name"] == "one"
    assert report["again"]["folder"].startswith("outputs/reproductions/")
    assert report["first_difference"]["epoch"] == 1
    then, now = report["first_difference"]["metrics"]["train_loss"]
    assert then != now
    assert 0 < report["weights"] < 0.1
