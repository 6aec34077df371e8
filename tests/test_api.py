"""What a Python program may rely on: `import digit_exp`, and nothing else."""

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import digit_exp

TINY = {
    **{"data": "synthetic", "data.samples": 200, "data.test_samples": 50, "data.val_ratio": 0.2},
    **{"model.hidden": [16], "trainer.epochs": 2, "tracking": "none"},
}
SLOW = {"numpy", "hydra", "omegaconf", "mlflow", "matplotlib", "scipy", "numba", "pandas"}


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_importing_the_package_loads_nothing_slow():
    code = "import digit_exp, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not SLOW & {*done.stdout.split()}


@pytest.mark.parametrize("name", digit_exp.__all__)
def test_every_public_name_is_there_documented_and_known_to_type_checkers(name):
    found = getattr(digit_exp, name)
    assert name in dir(digit_exp)
    if name != "__version__":
        assert inspect.getdoc(found)
        assert f" as {name}\n" in Path(digit_exp.__file__).read_text("utf-8")


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such"):
        digit_exp.no_such  # noqa: B018


def test_a_run_comes_back_with_metrics_folder_and_network(tmp_path):
    run = digit_exp.run("optimizer=sgd", TINY, seed=1, name="one")
    assert run.status == "FINISHED"
    assert 0 <= run.metrics["test_acc"] <= 1
    assert (run.config["optimizer"], run.config["seed"]) == ("sgd", 1)
    assert (run.folder / "checkpoints" / "best.npz").is_file()
    assert "Epoch 2/2" in (run.folder / "digit_exp.log").read_text("utf-8")
    assert run.network().predict(np.zeros((1, 784), np.float32)).shape == (1,)
    assert digit_exp.load_run("one").folder.resolve() == run.folder.resolve()


def test_the_same_words_are_the_same_run_as_that_of_the_command(tmp_path, train):
    ours = digit_exp.run(TINY, "optimizer.lr=0.01", seed=3)
    theirs = train(tmp_path / "other", "trainer.epochs=2", "optimizer.lr=0.01", "seed=3")
    theirs = digit_exp.load_run(str(theirs))
    np.testing.assert_array_equal(
        ours.network().parameters.storage, theirs.network().parameters.storage
    )


def test_a_mistake_gets_the_answer_of_the_command_and_leaves_nothing(tmp_path):
    for call in (digit_exp.run, lambda *words: digit_exp.sweep({"seed": [1, 2]}, *words)):
        with pytest.raises(digit_exp.ConfigError, match=r"Did you mean 'trainer\.epochs'"):
            call("trainer.epoch=5")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_comes_back_with_its_jobs_and_goes_on_where_it_is_not_done(capfd):
    logger = logging.getLogger()
    before = (logger.handlers[:], logger.level, sys.argv[:])
    found = digit_exp.sweep({"optimizer": ["sgd", "adam"]}, TINY, seeds=[1, 2])
    assert found.is_complete
    assert {(job.config["optimizer"], job.config["seed"]) for job in found.jobs} == {
        (name, seed) for name in ("sgd", "adam") for seed in (1, 2)
    }
    assert found.best.config["optimizer"] in ("sgd", "adam")
    assert found.report.is_file()
    assert len(found.table()) == 4
    assert (logger.handlers[:], logger.level, sys.argv[:]) == before
    started = {job.started for job in found.jobs}
    again = digit_exp.sweep({"optimizer": ["sgd", "adam"]}, TINY, seeds=[1, 2])
    assert {job.started for job in again.jobs} == started


def test_a_sweep_whose_jobs_fail_is_not_complete(capfd):
    found = digit_exp.sweep({"data.dir": ["a", "b"]}, "data=idx", "tracking=none", name="nothing")
    assert not found.is_complete
    with pytest.raises(digit_exp.RunError):
        _ = found.best


def test_all_runs_are_a_table(capfd):
    assert digit_exp.runs().empty
    one = digit_exp.run(TINY, seed=1)
    digit_exp.run(TINY, "optimizer=lion", seed=2)
    table = digit_exp.runs()
    assert isinstance(table, pd.DataFrame)
    assert list(table["seed"]) == [2, 1]
    assert list(table["optimizer"]) == ["lion", "adam"]
    assert table["test_acc"].iloc[1] == one.metrics["test_acc"]
    assert str(table["started"].dtype).startswith("datetime64")


def test_runs_are_compared_by_name_or_as_they_are():
    one = digit_exp.run(TINY, seed=1, name="one")
    digit_exp.run(TINY, "optimizer=lion", name="two")
    text = digit_exp.compare(one, "two").lines()
    assert "lion" in text
    with pytest.raises(digit_exp.RunError, match="'three'"):
        digit_exp.compare(one, "three")


def test_a_run_goes_to_the_folder_that_is_named_and_never_into_one_that_exists(tmp_path):
    assert digit_exp.run(TINY, folder="here").folder == Path("here")
    with pytest.raises(FileExistsError):
        digit_exp.run(TINY, folder="here")


def test_values_of_every_kind_can_be_given():
    run = digit_exp.run({**TINY, "run_name": "it's [a] name", "tracking.tags": {"note": "a, b"}})
    assert run.name == "it's [a] name"
    assert run.tags["note"] == "a, b"
    assert run.config["model.hidden"] == [16]
