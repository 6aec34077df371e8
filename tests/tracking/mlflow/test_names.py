"""Names that MLflow would refuse are refused before a run, and no others."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_param, _validate_tag

from digit_exp.registry import ConfigError
from digit_exp.tracking.mlflow.sync.entities import LONGEST, PREFIX, refusal
from tiny_runs import config


def is_taken(tag):
    try:
        _validate_tag(tag, "")
        _validate_param(f"{PREFIX}{tag}", "")
    except MlflowException:
        return False
    return True


@given(st.text(st.sampled_from("aé1_-. :/@\n{"), max_size=8))
@example("x" * (LONGEST - len(PREFIX)))
@example("x" * (LONGEST - len(PREFIX) + 1))
@example("")
def test_what_is_not_refused_is_taken_by_mlflow(tag):
    if refusal(tag) is None:
        assert is_taken(tag)
    elif tag and "\n" not in tag:  # MLflow lets one at the end by
        assert not is_taken(tag)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("who@where", "may have letters, digits, .* got 'who@where'"),
        ("a//b", "must not read as another path"),
        ("x" * 300, "must have at most 236 characters, got 300"),
    ],
)
def test_a_tag_that_mlflow_would_refuse_is_told_before_the_run(tag, words):
    with pytest.raises(ConfigError, match=rf"tracking\.tags: the name of a tag {words}"):
        config(tracking={"tags": {tag: "me"}})
