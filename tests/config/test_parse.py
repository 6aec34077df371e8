"""A configuration becomes checked objects, or is refused with everything that is wrong with it."""

import copy
import functools
import json

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from composing import configured
from digit_exp.config.constraints import SECRET
from digit_exp.config.parse import GROUPS, from_mapping
from digit_exp.config.schema import (
    FAMILIES,
    LAUNCH,
    PRESETS,
    EarlyStoppingSettings,
    Monitor,
    RunConfig,
    TrainerSettings,
)
from digit_exp.config.serialize import differences, flatten, resolved
from digit_exp.nn.initializers import Init
from digit_exp.registry import ConfigError

ADAM_FIELDS = "optimizer.lr, optimizer.clip_norm, optimizer.beta1, optimizer.beta2, optimizer.eps"
ROOT = ", ".join(["seed", "run_name", "start_from", *LAUNCH, *GROUPS, *PRESETS])
UNMEASURED = "needs validation data, but data.val_ratio=0; set data.val_ratio=0.1 or use"


@functools.cache
def standard():
    return resolved(configured())


def problems(*overrides):
    """Return what is wrong with the default configuration once these values are set in it."""
    mapping = copy.deepcopy(standard())
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        *parents, last = override.key_or_group.split(".")
        node = functools.reduce(lambda node, key: node.setdefault(key, {}), parents, mapping)
        node[last] = {"name": override.value()} if last in FAMILIES else override.value()
    try:
        from_mapping(mapping)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_values_arrive_in_the_types_of_their_fields():
    config = configured(
        "optimizer.lr=1", "trainer.epochs=1e1", "model.init=he", "run_name='7'", "model.hidden=[8]"
    )
    assert isinstance(config.optimizer.lr, float)
    assert isinstance(config.trainer.epochs, int)
    assert (config.model.init, config.run_name, config.model.hidden) == (Init.he_normal, "7", [8])


def test_hydra_lets_tags_have_any_name():
    assert configured("tracking.tags.note=baseline").tracking.tags == {"note": "baseline"}


@pytest.mark.parametrize("encode", [json, yaml], ids=["json", "yaml"])
def test_a_configuration_survives_being_written_down(encode):
    config = configured(
        "optimizer=lion", "schedule=plateau", "tracking.tags.note=x", "trainer.threads=2"
    )
    write, read = (json.dumps, json.loads) if encode is json else (yaml.safe_dump, yaml.safe_load)
    assert from_mapping(read(write(resolved(config)))) == config


def test_resolved_begins_every_component_with_its_name():
    mapping = resolved(configured("optimizer=momentum"))
    assert mapping["optimizer"]["name"] == "momentum"
    assert list(mapping["optimizer"]) == ["name", "lr", "clip_norm", "momentum"]
    assert list(mapping)[:4] == ["seed", "run_name", "start_from", "data"]


def test_a_mapping_from_before_a_field_existed_gets_its_default():
    mapping = resolved(configured())
    del (
        mapping["start_from"],
        mapping["trainer"]["ema"],
        mapping["trainer"]["early_stopping"]["patience"],
    )
    assert from_mapping(mapping) == configured()


def test_a_mapping_with_errors_is_refused_with_all_of_them():
    mapping = resolved(configured())
    mapping["seed"] = None
    mapping["optimizer"]["name"] = "adamm"
    mapping["model"] = 3
    mapping["trainer"]["early_stopping"]["patience"] = "long"
    with pytest.raises(ConfigError) as refused:
        from_mapping(mapping)
    assert str(refused.value) == (
        "the configuration has 4 errors\n"
        "  model: must be a group of settings, got 3\n"
        "  optimizer: unknown optimizer 'adamm'. Did you mean 'adam'? Known: sgd, momentum,"
        " nesterov, adagrad, rmsprop, adam, adamw, nadam, lion\n"
        "  seed: must be a whole number, got null\n"
        "  trainer.early_stopping.patience: must be a whole number, got 'long'"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lrr=1", "not a field of adam. Did you mean 'optimizer.lr'?"),
        ("optimizer.learning_rate=1", "not a field of adam. Did you mean 'optimizer.lr'?"),
        ("optimizer.learn_rate=1", "not a field of adam. Did you mean 'optimizer.lr'?"),
        ("optimizer.batch_size=1", "not a field of adam. Did you mean 'trainer.batch_size'?"),
        ("optimizer.momentum=1", "not a field of adam; momentum, nesterov have it"),
        ("optimizer.alpha=1", "not a field of adam; rmsprop has it"),
        ("optimizer.zzz=1", f"not a field of adam. Known: {ADAM_FIELDS}"),
        ("optmizer=adam", "no such key. Did you mean 'optimizer'?"),
        ("optmizer.lr=1", "no such key. Did you mean 'optimizer.lr'?"),
        ("experimant=debug", "no such key. Did you mean 'experiment'?"),
        ("sede=7", "no such key. Did you mean 'seed'?"),
        ("rseume=latest", "no such key. Did you mean 'resume'?"),
        ("lr=1", "no such key. Did you mean 'optimizer.lr'?"),
        ("batch=1", "no such key. Did you mean 'trainer.batch_size'?"),
        ("epochs=1", "no such key. Did you mean 'trainer.epochs'?"),
        ("hidden=[1]", "no such key. Did you mean 'model.hidden'?"),
        (
            "monitor=val_acc",
            "no such key. Did you mean 'trainer.early_stopping.monitor'"
            " or 'trainer.checkpoint.monitor'?",
        ),
        (
            "trainer.earlystopping.patience=3",
            "not a field of trainer. Did you mean 'trainer.early_stopping.patience'?",
        ),
        ("zzz=1", f"no such key. Known: {ROOT}"),
    ],
)
def test_an_unknown_key_is_told_the_nearest(override, message):
    assert problems(override) == [f"{override.partition('=')[0]}: {message}"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=fast", "must be a number, got 'fast'"),
        ("optimizer.lr=", "must be a number, got ''"),
        ("optimizer.lr=null", "must be a number, got null"),
        ("optimizer.lr=true", "must be a number, got true"),
        ("optimizer.lr=nan", "must be at least 0, got nan"),
        ("optimizer.lr=inf", "must be at least 0, got inf; write a finite number"),
        ("optimizer.lr=-1", "must be at least 0, got -1"),
        ("optimizer.beta1=1.0", "must be in [0, 1), got 1.0"),
        ("optimizer.clip_norm=0", "must be greater than 0, got 0"),
        ("trainer.epochs=2.5", "must be a whole number, got 2.5"),
        ("trainer.epochs=inf", "must be a whole number, got inf"),
        ("trainer.batch_size=0", "must be at least 1, got 0"),
        ("trainer.threads=all", "must be a whole number, got 'all'"),
        ("seed=true", "must be a whole number, got true"),
        ("model.batch_norm=yes", "must be true or false, got 'yes'"),
        ("model.hidden=256", "must be a list of whole numbers, got 256; write [256]"),
        ("model.hidden=[a,2.5]", "must be a list of whole numbers, got ['a', 2.5]"),
        ("model.hidden=[128,0]", "must be at least 1, got 0"),
        (
            "model.activation=rleu",
            "must be one of relu, leaky_relu, elu, gelu, tanh, sigmoid, got 'rleu'."
            " Did you mean 'relu'?",
        ),
        (
            "trainer.checkpoint.monitor=3",
            "must be one of train_loss, train_acc, val_loss, val_acc, got 3",
        ),
        ("run_name=[a]", "must be text, got ['a']"),
        ("resume={a: 1}", "must be text, got {a: 1}"),
        ("tracking.tags=3", "must be names with values, got 3; write {name: value}"),
    ],
)
def test_a_wrong_value_is_told_what_is_allowed(override, message):
    assert problems(override) == [f"{override.partition('=')[0]}: {message}"]


def test_the_decay_of_the_average_is_said_in_one_way():
    assert problems("trainer.ema=0.9", "trainer.ema_share=0") == []
    found = problems("trainer.ema=0.9", "trainer.ema_share=0.1")
    assert [problem.partition(":")[0] for problem in found] == ["trainer.ema_share"]


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("best.pt", "must be a plain file name that ends in .npz"),
        ("../best.npz", "must be a plain file name that ends in .npz"),
        ("{epoch:/>3}.npz", "must be a plain file name that ends in .npz"),
        ("last.npz", "must not be the name of the latest state"),
        (
            "{lr}.npz",
            "may mention only {epoch}, {train_loss}, {train_acc}, {val_loss}, {val_acc}",
        ),
        (
            "{epoch.npz",
            "must be a format that Python understands (expected '}' before end of string)",
        ),
        (
            "{val_acc:d}.npz",
            "must be a format that Python understands"
            " (Unknown format code 'd' for object of type 'float')",
        ),
    ],
)
def test_a_checkpoint_filename_must_work(filename, reason):
    expected = f"trainer.checkpoint.filename: {reason}, got {filename!r}"
    assert problems(f'trainer.checkpoint.filename="{filename}"') == [expected]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["data.val_ratio=0"],
            [
                f"trainer.early_stopping.monitor: val_acc {UNMEASURED} train_acc",
                f"trainer.checkpoint.monitor: val_acc {UNMEASURED} train_acc",
            ],
        ),
        (
            [
                "data.val_ratio=0",
                "schedule=plateau",
                "trainer.early_stopping.enabled=false",
                "trainer.checkpoint.monitor=train_loss",
                'trainer.checkpoint.filename="{epoch}-{val_loss:.2f}.npz"',
            ],
            [
                f"trainer.checkpoint.filename: val_loss {UNMEASURED} train_loss",
                f"schedule.monitor: val_loss {UNMEASURED} train_loss",
            ],
        ),
        (
            ["trainer.early_stopping.mode=min"],
            ["trainer.early_stopping.mode: must be max or auto for val_acc, got 'min'"],
        ),
        (
            ["trainer.checkpoint.monitor=val_loss", "trainer.checkpoint.mode=max"],
            ["trainer.checkpoint.mode: must be min or auto for val_loss, got 'max'"],
        ),
        (
            ["trainer.checkpoint.keep=3"],
            ["trainer.checkpoint.keep: 3 files need names that differ; put {epoch} in filename"],
        ),
        (
            ["schedule=warmup_cosine", "trainer.epochs=5"],
            ["schedule.warmup_epochs: must be less than trainer.epochs=5, got 5"],
        ),
        (["run_name="], ["run_name: must not be empty; leave it out to have one made"]),
        (["run_name='a\tb'"], ["run_name: must have no control characters, got 'a\\tb'"]),
        (["tracking.experiment=.."], ["tracking.experiment: must name an experiment, got '..'"]),
        (["tracking.experiment=''"], ["tracking.experiment: must name an experiment, got ''"]),
        (
            [f"tracking.experiment={'x' * 201}"],
            ["tracking.experiment: names a folder: at most 200 bytes, got 201"],
        ),
        (
            [f"trainer.checkpoint.filename={'x' * 197}.npz"],
            [
                f"trainer.checkpoint.filename: must have at most 200 bytes, got '{'x' * 197}.npz'",
            ],
        ),
        (["tracking.tags.db='postgresql://me:p/w@host/db'"], [f"tracking.tags: {SECRET}"]),
        (["data=idx", "data.dir='s3://me:p@host/d'"], [f"data.dir: {SECRET}"]),
        (["tracking.tags.page='https://host/a@b?tab=1:2'"], []),
        ([f"run_name={'x' * 251}"], ["run_name: must have at most 250 characters, got 251"]),
    ],
)
def test_values_that_do_not_fit_together_are_refused(overrides, expected):
    assert problems(*overrides) == expected


def test_objects_put_together_in_python_are_checked_the_same_way():
    config = configured("data.val_ratio=0.2")
    parts = {name: getattr(config, name) for name in vars(config)}
    parts["trainer"] = TrainerSettings(
        early_stopping=EarlyStoppingSettings(monitor=Monitor.val_loss)
    )
    assert RunConfig(**parts).trainer.early_stopping.monitor is Monitor.val_loss
    with pytest.raises(ConfigError, match=r"run_name: must not be empty"):
        RunConfig(**{**parts, "run_name": " "})


def test_flatten_speaks_the_keys_of_the_command_line():
    flat = flatten(configured("tracking.tags.note=baseline"))
    assert flat["optimizer"] == "adam"
    assert flat["optimizer.lr"] == 0.001
    assert flat["model.hidden"] == [128, 64]
    assert flat["trainer.early_stopping.enabled"] is True
    assert flat["tracking.tags.note"] == "baseline"
    assert "resume" not in flat


def test_the_defaults_differ_in_nothing():
    assert differences(configured()) == {}


def test_differences_are_choices_and_values_away_from_their_class():
    config = configured("optimizer=momentum", "model.hidden=[256,128]", "seed=1", "data.dir=x")
    assert differences(config) == {
        "seed": (42, 1),
        "data.dir": (None, "x"),
        "model.hidden": ([128, 64], [256, 128]),
        "optimizer": ("adam", "momentum"),
    }
