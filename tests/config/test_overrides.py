"""A value written as an override is the value that Hydra's parser reads back, whatever it is."""

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from digit_exp.config.compose import compose
from digit_exp.config.overrides import override

PARSER = OverridesParser.create()

MARKS = st.text("\\'\"${}[](),:=~+# ab\n", max_size=6)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats()
SINGLE = st.none() | st.booleans() | NUMBERS | st.text() | MARKS
KEYS = st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True).filter(
    lambda key: key not in ("null", "true", "false", "nan", "inf")
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def same(one, other):
    """Compare values and their types; NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@example("a\\")
@example("\\'")
@example(["it's", {"a": "x=y,z"}])
@given(VALUES)
def test_hydra_reads_back_what_was_written(value):
    (found,) = PARSER.parse_overrides([override("key", value)])
    assert not found.is_sweep_override()
    assert same(value, found.value())


@pytest.mark.parametrize("text", ["it's", "x=y", "a,b", "null", "7", "$(id)", "a\\", "é ü", "[1"])
def test_a_text_arrives_in_its_field_as_it_was(text):
    (config,) = compose([override("run_name", text), override("tracking.tags.note", text)]).jobs
    assert (config.run_name, config.tracking.tags) == (text, {"note": text})


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("run_name=2024_11_30", "2024_11_30"),
        ("run_name=12e3456", "12e3456"),
        ("run_name=0x1F", "0x1F"),
        ("run_name=1.10", "1.10"),
        ("run_name=true", "true"),
        ("run_name=it's", "it's"),
        ("run_name=a=b", "a=b"),
        ("run_name='a,b'", "a,b"),
        ("run_name=null", None),
        ("run_name=ünïcode", "ünïcode"),
    ],
)
def test_a_text_field_gets_the_words_as_typed(word, text):
    (config,) = compose([word]).jobs
    assert config.run_name == text


def test_every_text_field_does():
    words = ["tracking.tags.commit=12e3456", "sweep.name=7", "tracking.experiment=1_0"]
    found = compose(
        [*words, "data=idx", "data.dir=2024_11_30", "trainer.checkpoint.filename=1e3.npz"]
    )
    (config,) = found.jobs
    assert config.tracking.tags == {"commit": "12e3456"}
    assert found.launch["sweep"]["name"] == "7"
    assert config.tracking.experiment == "1_0"
    assert config.data.dir == "2024_11_30"
    assert config.trainer.checkpoint.filename == "1e3.npz"


def test_so_does_every_job_of_a_sweep():
    found = compose(["run_name=2024_11_30,1e3,it"], multirun=True)
    assert [config.run_name for config in found.jobs] == ["2024_11_30", "1e3", "it"]
    planned = [values["run_name"] for values in found.loader.jobs.values()]
    assert planned == ["2024_11_30", "1e3", "it"]
