"""`digit-exp committee`: one model of several runs, a run like any other."""

import json
from dataclasses import replace

import numpy as np
import pytest

from digit_exp.cli.entry import main
from digit_exp.config.compose import compose
from digit_exp.draw.explain import explain
from digit_exp.nn.classifier import Classifier
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import execute
from digit_exp.runs.saved.committee import best_of, make_committee
from digit_exp.runs.saved.extend_run import require_longer
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.predict import Predictor
from digit_exp.runs.saved.reproduce import reproduce
from digit_exp.runs.saved.views.details import Details
from digit_exp.runs.signals import Interruption
from tiny_runs import WORDS

SETTINGS = {
    "a": ["seed=1"],
    "b": ["seed=2", "model.hidden=[8]", "model.batch_norm=true"],
    "c": ["seed=3"],
    "split": ["seed=1", "data.split_seed=9"],
    "data": ["seed=1", "data.seed=5"],
    "shifts": ["seed=1", "model.shifts=1"],
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Runs by name, and `abc`, the committee of three of them."""
    outputs = tmp_path_factory.mktemp("committees") / "outputs"
    for name, words in SETTINGS.items():
        folder = outputs / "day" / name
        folder.mkdir(parents=True)
        words = [*WORDS, "data.split_seed=0", "trainer.epochs=2", f"run_name={name}", *words]
        (config,) = compose(words).jobs
        with Interruption() as interruption:
            execute(config, folder, interruption)
    return outputs


@pytest.fixture(scope="module")
def found(outputs):
    return {name: Runs(outputs).find(str(outputs / "day" / name)) for name in SETTINGS}


@pytest.fixture(scope="module")
def made(outputs, found):
    return make_committee([found[name] for name in "abc"], outputs / "day" / "abc", "abc")


@pytest.fixture
def together(made):
    return Runs(made.folder.parents[1]).find(str(made.folder))


def test_its_probabilities_are_the_mean_of_its_members(found, together):
    each = [found[name].predictions().probabilities for name in "abc"]
    np.testing.assert_allclose(
        together.predictions().probabilities, np.mean(each, axis=0), rtol=1e-5, atol=1e-7
    )


def test_it_is_calibrated_and_says_what_each_member_adds(found, made, together):
    assert {"temperature", "final_val_acc", "test_acc"} <= together.metrics.keys()
    assert together.status == "FINISHED"
    assert together.metrics["best_val_acc"] == together.metrics["final_val_acc"]
    assert [row.val_acc for row in made.members] == [
        found[name].metrics["final_val_acc"] for name in "abc"
    ]
    assert made.members[0].first_val_acc == made.members[0].val_acc
    assert made.members[-1].first_val_acc == together.metrics["final_val_acc"]
    assert all(found[name].name in "".join(made.lines()) for name in "abc")


def test_it_predicts_is_served_and_explained_like_a_single_network(together):
    predictor = Predictor.of(together)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    served = Classifier.load(together.file(paths.MODEL))(images)
    np.testing.assert_allclose(predictor._probabilities(images), served, rtol=1e-5)
    assert explain(predictor, images[0], 3).gradient.shape == (28, 28)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a"], "at least 2"),
        (["a", "b", "a"], "twice"),
        (["a", "split"], "data.split_seed"),
        (["a", "data"], "data set"),
        (["a", "shifts"], "model.shifts"),
    ],
)
def test_what_does_not_fit_together_is_refused(outputs, found, names, reason):
    folder = outputs / "day" / "refused"
    with pytest.raises(RunError, match=reason):
        make_committee([found[name] for name in names], folder, None)
    assert not folder.exists()


def test_members_have_finished(outputs, found):
    with pytest.raises(RunError, match="killed"):
        make_committee([found["a"], replace(found["b"], status="KILLED")], outputs / "no", None)


def test_the_best_are_those_of_the_highest_validation_accuracy(found):
    runs = [
        replace(found[name], metrics={"best_val_acc": x})
        for name, x in zip("abc", (1, 3, 2), strict=True)
    ]
    assert [run.name for run in best_of(runs, 2)] == ["b", "c"]
    with pytest.raises(RunError, match="only 3"):
        best_of([*runs, replace(found["a"], metrics={})], 4)


def test_it_is_neither_repeated_nor_trained_on(together, made, tmp_path):
    with pytest.raises(RunError, match="committee"):
        reproduce(together, tmp_path / "again", track=False, tolerance=0.0)
    with pytest.raises(ValueError, match="committee"):
        require_longer(made.folder, 5)


def test_the_command_makes_it_of_the_best(outputs, monkeypatch, capsys):
    monkeypatch.chdir(outputs.parent)
    runs = [str(outputs / "day" / name) for name in "abc"]
    assert main(["committee", *runs, "--best", "2", "--name", "two", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["members"]) == 2
    assert RunRecord.read(outputs.parent / printed["folder"]).name == "two"
    assert main(["committee", runs[0]]) == 2


def test_what_can_be_done_with_it_is_said(together):
    commands = Details(together).commands
    assert "reproduce" not in commands
    assert commands["make again"].startswith("digit-exp committee ")
