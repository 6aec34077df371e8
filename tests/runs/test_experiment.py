"""The recipe of a run, without MLflow: what it refuses, what it leaves, what it concludes."""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from digit_exp.config.parse import from_mapping
from digit_exp.config.serialize import resolved
from digit_exp.registry import ConfigError
from digit_exp.runs.active_run import read_contents
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.results.summary import best_epoch, log_start, run_name
from digit_exp.tracking.base import Status
from digit_exp.training.checkpoint import load_checkpoint, load_network
from digit_exp.training.trainer import Trainer
from tiny_runs import TINY, config, run


def tags(folder):
    return RunRecord.read(folder).tags


def test_a_run_leaves_its_files_and_its_record(tmp_path):
    _, result = run(tmp_path)
    assert result.status is Status.FINISHED
    contents = read_contents(tmp_path)
    assert contents.summary == result.summary
    assert contents.params["optimizer.lr"] == 0.001
    assert [epoch.number for epoch in contents.epochs] == [1, 2, 3]
    assert contents.dataset["train"] == [200, 28, 28]
    assert set(contents.files) >= {
        *("config.yaml", "network.txt", "test_predictions.npz", "checkpoints/best.npz"),
        *("figures/confusion_matrix.png", "figures/reliability.png"),
    }
    assert "figures/augmentation.png" not in contents.files  # there is no augmentation
    assert (tmp_path / "model.npz").is_file()


def test_the_test_numbers_are_those_of_the_weights_that_are_kept(tmp_path):
    experiment, result = run(tmp_path)
    test = experiment.dataset.test
    network = load_network(tmp_path / "checkpoints" / "best.npz")
    probabilities = network.predict_proba(test.images[test.rows])
    accuracy = float((probabilities.argmax(axis=1) == test.labels).mean())
    likelihood = probabilities[np.arange(len(test)), test.labels]
    assert result.summary["test_acc"] == accuracy
    assert result.summary["test_loss"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)


def test_a_diverged_run_has_failed_and_is_not_tested(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    _, result = run(tmp_path, optimizer={"name": "sgd", "lr": 1e30})
    assert result.status is Status.FAILED
    assert result.is_failure
    assert "test_acc" not in result.summary
    assert tags(tmp_path)["digit_exp.stop_reason"] == "diverged"
    assert "at step 2, in epoch 1, the loss was nan; the learning rate was 1e+30" in caplog.text
    assert "try optimizer.lr=1e+29" in caplog.text
    network = load_network(tmp_path / "checkpoints" / "last_finite.npz")
    assert np.isfinite(network.parameters.storage).all()


def test_the_last_finite_weights_are_those_that_the_message_names(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    usual = Trainer._learning_rate
    monkeypatch.setattr(  # five steps an epoch: it breaks in the eighth
        Trainer,
        "_learning_rate",
        lambda self, state, steps: 1e30 if state.step >= 37 else usual(self, state, steps),
    )
    found = {}
    for stopping in (False, True):
        (folder := tmp_path / str(stopping)).mkdir()
        trainer = {"epochs": 9, "early_stopping": {"enabled": stopping, "patience": 9}}
        run(folder, optimizer={"name": "sgd", "lr": 0.01}, trainer=trainer)
        network = load_network(folder / "checkpoints" / "last_finite.npz")
        found[stopping] = network.parameters.storage
    assert caplog.text.count("the finite weights after step 32 are in") == 2
    np.testing.assert_array_equal(found[True], found[False])
    best = load_network(folder / "checkpoints" / "best.npz").parameters.storage
    assert not np.array_equal(found[True], best)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"val_ratio": 0.001}, "data.val_ratio: leaves no image for validation"),
        ({"train_size": 161}, "data.train_size: must be at most 160"),
    ],
)
def test_data_that_cannot_be_divided_so_is_refused(tmp_path, data, words):
    with pytest.raises(ConfigError, match=words):
        Experiment.prepare(config(data=data), tmp_path)


def test_a_run_without_validation_trains_to_the_end(tmp_path):
    watch = {"early_stopping": {"enabled": False}, "checkpoint": {"monitor": "train_loss"}}
    _, result = run(tmp_path, data={"val_ratio": 0.0}, trainer=watch | {"epochs": 2})
    assert "best_val_acc" not in result.summary
    assert "test_acc" in result.summary


def test_standardized_pixels_travel_with_the_network(tmp_path):
    experiment, _ = run(tmp_path, data={"normalize": "standardize"})
    network = load_network(tmp_path / "checkpoints" / "last.npz")
    assert network.names[0] == "standardize_1"
    pixels = experiment.train.images[experiment.train.rows] / 255
    assert network.layers[0].mean == pytest.approx(pixels.mean())
    assert network.layers[0].std == pytest.approx(pixels.std())


def test_a_run_that_went_on_does_not_keep_the_reason_why_it_had_stopped(tmp_path):
    run(tmp_path, trainer={"epochs": 1})
    assert "digit_exp.stop_reason" not in tags(tmp_path)
    run(tmp_path, load_checkpoint(tmp_path / "checkpoints" / "last.npz"))
    assert tags(tmp_path)["digit_exp.stop_reason"] == "completed"


def test_a_run_is_not_resumed_on_other_data(tmp_path):
    run(tmp_path)
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "last.npz")
    other = replace(checkpoint, config={**checkpoint.config, "data_digest": "other"})
    with pytest.raises(ConfigError, match="has changed"):
        Experiment.prepare(config(), tmp_path, other)


def test_a_checkpoint_holds_the_configuration_of_its_run(tmp_path):
    run(tmp_path, seed=7)
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "best.npz")
    assert checkpoint.config["run"] == resolved(config(seed=7))


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([], {}),
        ([{"epoch": 1, "val_acc": 0.5}, {"epoch": 2}, {"epoch": 3, "val_acc": 0.6}], 3),
        ([{"epoch": 1, "val_acc": 0.6}, {"epoch": 2, "val_acc": 0.6}], 1),
        ([{"epoch": 1, "val_acc": float("nan")}, {"epoch": 2, "val_acc": 0.1}], 2),
    ],
)
def test_the_best_epoch_is_the_first_of_the_highest(history, best):
    found = best_epoch(config(), history)
    assert found.get("best_epoch", {}) == best


def test_a_run_is_named_for_what_is_special_about_it():
    plain = {group: {} for group in ("data", "model", "trainer")}
    names = {"data": {"name": "mnist"}, "model": {"name": "mlp"}, "schedule": {"name": "cosine"}}
    usual = {**TINY, **plain, **names, "tracking": {}}
    assert run_name(from_mapping(usual)) == "defaults"
    special = {**usual, "seed": 3, "optimizer": {"name": "lion", "lr": 0.01}}
    assert run_name(from_mapping(special)) == "seed=3 optimizer=lion lr=0.01"
    searched = {**usual, "optimizer": {"name": "adam", "lr": 0.00084159668}}
    assert run_name(from_mapping(searched)) == "lr=0.0008416"
    keys = ["data.train_size", "model.hidden"]
    assert run_name(from_mapping(usual), keys) == "train_size=null hidden=[128,64]"
    assert run_name(config(run_name="mine")) == "mine"


def test_a_long_name_is_cut_in_the_middle_and_at_the_end_but_not_in_a_sweep(tmp_path):
    place = tmp_path / ("x" * 40) / "digits"
    place.mkdir(parents=True)
    name = run_name(config(data={"name": "idx", "dir": str(place)}))
    assert "…" in name
    assert "digits " in name
    settings = {"enabled": False, "patience": 9, "min_delta": 0.5, "restore_best": False}
    long = config(trainer={"epochs": 3, "batch_size": 7, "early_stopping": settings})
    assert len(run_name(long)) <= 80
    assert run_name(long).startswith("data=synthetic ")
    assert re.search(r" \+\d$", run_name(long))
    monitors = ["trainer.early_stopping.monitor", "trainer.checkpoint.monitor", "data.dir"]
    varied = run_name(config(data={"name": "idx", "dir": str(place)}), monitors)
    assert varied == f"early_stopping.monitor=val_acc checkpoint.monitor=val_acc dir={place}"


@pytest.mark.parametrize(
    ("model", "threads", "says"),
    [
        ({"hidden": [256]}, 1, True),
        ({"hidden": [256]}, 2, False),
        ({"hidden": [8]}, 1, False),
        # few weights, each of which is used at every place
        ({"name": "cnn", "filters": [16, 32], "hidden": [], "global_pool": True}, 1, True),
        ({"name": "cnn", "filters": [1], "hidden": [], "global_pool": True}, 1, False),
    ],
)
def test_large_products_are_told_what_a_second_thread_brings(
    tmp_path, caplog, model, threads, says
):
    caplog.set_level(logging.INFO)
    trainer = {"batch_size": 128, "threads": threads, "epochs": 0}
    settings = config(model=model, trainer=trainer)
    log_start(Experiment.prepare(settings, tmp_path))
    assert ("trainer.threads=2" in caplog.text) is says


def test_what_is_odd_about_the_data_is_said_before_the_first_step(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    experiment = Experiment.prepare(config(), tmp_path)
    log_start(replace(experiment, dataset=replace(experiment.dataset, remarks=["odd: set x=1"])))
    assert [r.levelname for r in caplog.records if "odd: set x=1" in r.message] == ["WARNING"]


def test_an_early_stop_says_what_was_too_little(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    stopping = {"patience": 1, "min_delta": 0.9, "monitor": "val_acc"}
    run(tmp_path, trainer={"epochs": 9, "early_stopping": stopping})
    assert "stopped early: val_acc rose by no more than 90 points in 1 epochs" in caplog.text


def test_no_epochs_and_a_batch_with_everything_are_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    log_start(Experiment.prepare(config(trainer={"epochs": 0}), tmp_path))
    assert "nothing is trained" in caplog.text
    log_start(Experiment.prepare(config(trainer={"epochs": 1, "batch_size": 999}), tmp_path))
    assert "all 160 training images" in caplog.text


def test_the_lines_of_the_best_epochs_are_marked(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    _, result = run(tmp_path)
    marked = [record for record in caplog.records if getattr(record, "colour", None)]
    assert f"Epoch {result.summary['best_epoch']:g}/3" in marked[-1].getMessage()


def test_deformed_copies_are_drawn_from_the_seed_as_the_augmentation_does(tmp_path):
    changes = {
        "model": {"name": "mlp", "hidden": [16], "copies": 2},
        "augmentation": {"name": "affine"},
    }
    first, again = (Experiment.prepare(config(**changes), tmp_path).network for _ in range(2))
    assert first.copies.count == 2
    np.testing.assert_array_equal(first.parameters.storage, again.parameters.storage)
    with pytest.raises(ConfigError, match=r"model\.copies"):
        Experiment.prepare(config(model=changes["model"]), tmp_path)
