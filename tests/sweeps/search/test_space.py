"""The search space: what is read from YAML, and what people are told who wrote it wrong."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from digit_exp.registry import ConfigError
from digit_exp.sweeps.search.space import distributions


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "float", "low": 1e-4, "high": 1e-2, "log": True}, (1e-4, 1e-2, True, None)),
        ({"type": "float", "low": 0, "high": 1, "step": 0.25}, (0.0, 1.0, False, 0.25)),
        ({"type": "float", "low": 0, "high": 0.5, "step": 0.1}, (0.0, 0.5, False, 0.1)),
    ],
)
def test_a_float_has_bounds_and_a_scale_or_a_step(entry, expected):
    low, high, log, step = expected
    assert distributions({"x": entry})["x"] == FloatDistribution(low, high, log=log, step=step)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "int", "low": 10, "high": 50}, IntDistribution(10, 50)),
        ({"type": "int", "low": 1, "high": 512, "log": True}, IntDistribution(1, 512, log=True)),
        ({"type": "int", "low": 10, "high": 35, "step": 10}, IntDistribution(10, 30, step=10)),
    ],
)
def test_an_int_has_bounds_and_its_last_step_stays_within(entry, expected):
    assert distributions({"x": entry})["x"] == expected


def test_choices_become_the_text_of_a_command_line():
    entry = {"type": "categorical", "choices": [[128, 64], "relu", None, True, 3, 3]}
    expected = CategoricalDistribution(["[128,64]", "relu", "null", "true", "3"])
    assert distributions({"x": entry})["x"] == expected


@pytest.mark.parametrize("value", ["it's", "x=y", "a,b", "null", "7", "", [["a b"]], {"a": "b:c"}])
def test_hydra_reads_a_choice_back_as_it_was(value):
    (choice,) = distributions({"x": {"type": "categorical", "choices": [value]}})["x"].choices
    (parsed,) = OverridesParser.create().parse_overrides([f"key={choice}"])
    assert parsed.value() == value


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"type": "float", "low": 1, "high": 0.1},
            "lr: low must be less than high, got low 1 and high 0.1",
        ),
        (
            {"type": "flaot", "low": 0, "high": 1},
            "lr: unknown type 'flaot'. Did you mean 'float'? Known: float, int, categorical",
        ),
        ({"low": 0, "high": 1}, "lr: unknown type None. Known: float, int, categorical"),
        (0.1, "lr: must say how to search, like {type: float, low: 0.1, high: 1}, got 0.1"),
        ({"type": "float", "low": 0}, "lr: high must be a number, got None"),
        ({"type": "float", "low": "a", "high": 1}, "lr: low must be a number, got 'a'"),
        ({"type": "float", "low": 0, "high": float("inf")}, "lr: high must be a number, got inf"),
        ({"type": "int", "low": 0.5, "high": 1}, "lr: low must be a whole number, got 0.5"),
        (
            {"type": "float", "low": 0, "high": 1, "log": True},
            "lr: low must be greater than 0 where log is true, got 0",
        ),
        (
            {"type": "float", "low": 0, "high": 1, "log": "yes"},
            "lr: log must be true or false, got 'yes'",
        ),
        (
            {"type": "int", "low": 1, "high": 9, "log": True, "step": 2},
            "lr: log and step exclude each other;",
        ),
        (
            {"type": "int", "low": 1, "high": 9, "step": 0},
            "lr: step must be greater than 0, got 0",
        ),
        (
            {"type": "int", "low": 1, "hihg": 9},
            "lr: int has no 'hihg'. Did you mean 'high'? Known: low, high, log, step",
        ),
        (
            {"type": "categorical", "choices": []},
            "lr: choices must be a list of at least one value, got []",
        ),
        (
            {"type": "categorical", "choices": "a,b"},
            "lr: choices must be a list of at least one value, got 'a,b'",
        ),
    ],
)
def test_a_wrong_entry_is_told_what_is_allowed(entry, message):
    with pytest.raises(ConfigError) as error:
        distributions({"lr": entry})
    assert message in str(error.value)


def test_all_wrong_entries_are_told_at_once():
    space = {"a": {"type": "float", "low": 2, "high": 1}, "b": 3, "c": {"type": "no"}}
    with pytest.raises(ConfigError) as error:
        distributions(space)
    assert [problem.path for problem in error.value.problems] == ["a", "b", "c"]
