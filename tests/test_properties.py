"""What holds for any configuration: it trains, it can be interrupted anywhere, it is a function."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import FAMILIES
from digit_exp.config.serialize import resolved
from digit_exp.registry import ConfigError
from digit_exp.runs.active_run import ActiveRun
from digit_exp.runs.callbacks import callbacks_of
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.base import Status
from digit_exp.training.callbacks import Callback
from digit_exp.training.checkpoint import load_checkpoint
from tiny_runs import start

FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def choice(family, **fields):
    """Return a strategy for a registered component, with its defaults."""
    names = st.sampled_from(FAMILIES[family].names())
    return names.map(lambda name: {"name": name, **fields})


CONFIGS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "data": st.fixed_dictionaries(
            {
                "name": st.just("synthetic"),
                "samples": st.integers(12, 40),
                "test_samples": st.integers(2, 9),
                "classes": st.integers(2, 5),
                "height": st.integers(4, 9),
                "width": st.integers(4, 9),
                "val_ratio": st.sampled_from([0.2, 0.5]),
                "stratified": st.booleans(),
                "normalize": st.sampled_from(["unit", "standardize"]),
            }
        ),
        "model": st.one_of(
            st.just({"name": "linear"}),
            st.fixed_dictionaries(
                {
                    "name": st.just("mlp"),
                    "hidden": st.lists(st.integers(1, 5), min_size=0, max_size=3),
                    "batch_norm": st.booleans(),
                }
            ),
        ),
        "optimizer": choice("optimizer"),
        "schedule": choice("schedule"),
        "regularization": choice("regularization"),
        "augmentation": choice("augmentation"),
        "pruner": st.just({"name": "none"}),
        "trainer": st.fixed_dictionaries(
            {
                "epochs": st.integers(3, 4),
                "batch_size": st.integers(1, 50),
                "eval_every": st.integers(1, 3),
                "ema": st.sampled_from([0.0, 0.9]),
                "threads": st.just(1),
            }
        ),
        "tracking": st.just({"backend": "none"}),
    }
)


class StopAt(Callback):
    """Stands in for a signal: stops training after so many steps."""

    def __init__(self, step):
        self._step = step

    def on_step_end(self, state, loss):
        if state.step == self._step:
            state.stop_reason = "interrupted"


def build(values):
    """Return the configuration, or None if the rules refuse what does not fit together."""
    try:
        return from_mapping(values)
    except ConfigError:
        return None


def train(config, folder, *, stop=math.inf, resume=False):
    """Train without figures and tests; return the state at the end."""
    checkpoint = load_checkpoint(folder / "checkpoints" / "last.npz") if resume else None
    if checkpoint is not None:
        checkpoint.state.stop_reason = None
    experiment = Experiment.prepare(config, folder, checkpoint)
    with Interruption() as interruption:
        callbacks = [
            StopAt(stop),
            *callbacks_of(experiment, ActiveRun(folder, config), interruption, None),
        ]
        return experiment.trainer(callbacks).fit(experiment.train, experiment.val, experiment.start)


@FEW
@given(values=CONFIGS, stops=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_any_run_that_is_interrupted_anywhere_ends_as_one_that_was_not(
    tmp_path_factory, values, stops
):
    config = build(values)
    if config is None:
        return
    assert from_mapping(resolved(config)) == config
    whole = train(config, tmp_path_factory.mktemp("whole"))
    halved = tmp_path_factory.mktemp("halved")
    for number, stop in enumerate(sorted(stops)):
        state = train(config, halved, stop=stop, resume=number > 0)
    if state.stop_reason == "interrupted":
        state = train(config, halved, resume=True)
    assert state.step == whole.step
    assert state.stop_reason == whole.stop_reason
    np.testing.assert_array_equal(state.evaluated, whole.evaluated)
    for name, slot in whole.slots.items():
        np.testing.assert_array_equal(state.slots[name], slot)
    for one, other in zip(state.history, whole.history, strict=True):
        for name in set(one) - {"epoch_seconds", "images_per_second"}:
            assert one[name] == pytest.approx(other[name], rel=0, abs=0, nan_ok=True)


def run(folder, **changes):
    values = {
        "data": {"name": "synthetic", "samples": 40, "test_samples": 10, "val_ratio": 0.2},
        "model": {"name": "mlp", "hidden": [8]},
        "optimizer": {"name": "sgd"},
        "schedule": {"name": "constant"},
        "regularization": {"name": "none"},
        "augmentation": {"name": "none"},
        "pruner": {"name": "none"},
        "trainer": {"epochs": 2},
        "tracking": {"backend": "none"},
    }
    merged = {group: {**node, **changes.get(group, {})} for group, node in values.items()}
    experiment = Experiment.prepare(from_mapping(merged), folder)
    return start(experiment)


UNWATCHED = {"early_stopping": {"enabled": False}, "checkpoint": {"monitor": "train_loss"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer": {"batch_size": 10_000}},
        {"trainer": {"epochs": 0}},
        {"model": {"hidden": [1]}},
        {"model": {"hidden": []}},
        {"model": {"hidden": [4] * 20}},
        {"model": {"hidden": [4] * 20, "batch_norm": True}, "trainer": {"batch_size": 2}},
        {"optimizer": {"lr": 0.0}},
        {"data": {"val_ratio": 0.0}, "trainer": UNWATCHED},
        {"data": {"train_size": 1}},
        {"data": {"height": 1, "width": 1}},
        {"data": {"classes": 2, "samples": 3, "val_ratio": 0.5, "test_samples": 1}},
        {"data": {"noise": 0.0}},
        {"trainer": {"eval_every": 99}},
    ],
    ids=str,
)
def test_a_silly_configuration_works(tmp_path, changes):
    result = run(tmp_path, **changes)
    assert result.status is Status.FINISHED
    assert math.isfinite(result.summary["test_loss"])
    assert result.not_written == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"val_ratio": 0.0}}, "val_acc needs validation data"),
        ({"data": {"val_ratio": 0.01}}, "leaves no image for validation"),
        ({"data": {"samples": 1}}, "at least one for each of 10 classes"),
        ({"trainer": {"batch_size": 0}}, "trainer.batch_size: must be at least 1"),
        ({"model": {"hidden": [0]}}, "model.hidden: must be a list of whole numbers|at least 1"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_with_the_reason(tmp_path, changes, reason):
    with pytest.raises(ConfigError, match=reason):
        run(tmp_path, **changes)
