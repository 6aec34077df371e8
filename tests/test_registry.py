from collections.abc import Iterator
from dataclasses import field
from enum import Enum

import pytest

from digit_exp.registry import (
    Component,
    ConfigError,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Positive,
    Probability,
    Problem,
    Range,
    Registry,
    did_you_mean,
    ranges,
)

NAN, INF = float("nan"), float("inf")


class Shade(Enum):
    """A closed set."""

    light = "light"
    dark = "dark"


class Paint(Component):
    """A component with a field of every type."""

    gloss: Fraction = 0.5
    litres: Positive | None = None
    coats: Count = 2
    widths: list[Count] = field(default_factory=lambda: [1])
    shade: Shade = Shade.light
    name: str = "plain"

    def conflicts(self) -> Iterator[Problem]:
        if self.coats > 5 and self.litres is None:
            yield Problem("litres", "must be given for more than 5 coats")


def test_a_choice_may_be_made_by_its_name():
    assert Paint(shade="light").shade is Shade.light
    with pytest.raises(
        ConfigError, match=r"shade: must be one of light, dark, got 'darc'. Did you mean 'dark'?"
    ):
        Paint(shade="darc")
    with pytest.raises(ConfigError, match="shade: must be one of light, dark, got 3"):
        Paint(shade=3)
    with pytest.raises(ConfigError, match=r"shade: must be one of light, dark, got \['light'\]"):
        Paint(shade=["light"])


@pytest.fixture
def registry():
    registry = Registry("paint")
    registry.register("plain")(Paint)
    return registry


def test_a_class_is_found_by_its_name_and_a_name_by_its_object(registry):
    assert registry["plain"] is Paint
    assert registry.name_of(Paint(coats=3)) == "plain"


def test_names_stand_in_the_order_of_registration(registry):
    for name in ("zinc", "acryl"):
        registry.register(name)(type(name, (Paint,), {}))
    assert registry.names() == ["plain", "zinc", "acryl"]


def test_a_name_cannot_be_registered_twice(registry):
    with pytest.raises(ValueError, match="paint 'plain' is registered already"):
        registry.register("plain")(Paint)


def test_only_dataclasses_can_be_registered(registry):
    with pytest.raises(TypeError, match="Oil must be a dataclass"):
        registry.register("oil")(type("Oil", (), {}))


def test_an_unknown_name_is_refused_with_the_nearest_and_all_names(registry):
    with pytest.raises(ConfigError) as error:
        registry["plane"]
    assert str(error.value) == (
        "the configuration has 1 error\n"
        "  paint: unknown paint 'plane'. Did you mean 'plain'? Known: plain"
    )


def test_nothing_is_suggested_where_nothing_is_near():
    assert did_you_mean("zebra", ["adam", "sgd"]) == ""


def test_registries_do_not_share_their_classes(registry):
    assert Registry("paint").names() == []


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        (Positive, [1e-300, 5, 1e300], [0, -1, NAN, INF]),
        (NonNegative, [0, 0.0, 7], [-1e-300, NAN, INF]),
        (Fraction, [0, 0.999], [1, 1.2, -0.1, NAN]),
        (Probability, [0, 1, 0.5], [1.001, -0.001, NAN]),
        (Count, [1, 100], [0, -5]),
        (CountOrZero, [0, 100], [-1]),
    ],
)
def test_a_range_holds_what_it_says(limits, inside, outside):
    (limits,) = limits.__metadata__
    assert all(value in limits for value in inside)
    assert not any(value in limits for value in outside)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Range(gt=0), "greater than 0"),
        (Range(ge=1), "at least 1"),
        (Range(lt=2), "less than 2"),
        (Range(le=2.5), "at most 2.5"),
        (Range(ge=0, lt=1), "in [0, 1)"),
        (Range(gt=0, le=1), "in (0, 1]"),
        (Range(), "a finite number"),
    ],
)
def test_a_range_is_told_in_words(limits, text):
    assert str(limits) == text


def test_ranges_are_found_on_optional_fields_and_on_the_items_of_lists():
    texts = {name: str(limits) for name, limits in ranges(Paint).items()}
    assert texts == {
        "gloss": "in [0, 1)",
        "litres": "greater than 0",
        "coats": "at least 1",
        "widths": "at least 1",
    }


def test_what_is_out_of_range_is_collected_and_told_all_at_once():
    with pytest.raises(ConfigError) as error:
        Paint(gloss=1.0, litres=-2.0, coats=0, widths=[3, 0])
    assert str(error.value) == (
        "the configuration has 4 errors\n"
        "  gloss: must be in [0, 1), got 1.0\n"
        "  litres: must be greater than 0, got -2.0\n"
        "  coats: must be at least 1, got 0\n"
        "  widths: must be at least 1, got 0"
    )


@pytest.mark.parametrize("value", ["fast", True])
def test_what_is_no_number_is_refused_where_a_number_belongs(value):
    with pytest.raises(ConfigError, match=f"gloss: must be a number, got {value!r}"):
        Paint(gloss=value)


def test_fields_that_are_fine_alone_may_conflict():
    with pytest.raises(ConfigError, match="litres: must be given for more than 5 coats"):
        Paint(coats=6)
    assert Paint(coats=6, litres=1.0).coats == 6


def test_conflicts_are_looked_for_only_between_values_that_are_in_range():
    with pytest.raises(ConfigError) as error:
        Paint(coats=6, gloss=3.0)
    assert [problem.path for problem in error.value.problems] == ["gloss"]


def test_a_problem_is_told_with_its_whole_path():
    problem = Problem("lr", "must be positive")
    assert str(problem.under("optimizer")) == "optimizer.lr: must be positive"
    assert str(Problem("", "is missing").under("optimizer")) == "optimizer: is missing"
    assert str(Problem("", "nothing works")) == "nothing works"
