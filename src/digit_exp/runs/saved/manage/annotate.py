"""Tags and a note that a person gives a run afterwards: in its folder, and from there in MLflow."""

from collections.abc import Collection, Mapping, Sequence

from digit_exp.registry import ConfigError, Problem
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.manage.sync import store_of, sync
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.sync.entities import refusal
from digit_exp.tracking.tags import Tag

RESERVED = ("mlflow.", "digit_exp.")
"""Prefixes of tags for programs."""


def given_tags(run: FoundRun) -> dict[str, str]:
    """Return the tags that a run was given afterwards."""
    return dict(run.here()[1].annotations)


def parse_tags(words: Sequence[str]) -> dict[str, str]:
    """Return `NAME=VALUE` words as tags; raises ConfigError with every word that is none."""
    problems, tags = [], {}
    for word in words:
        name, equals, value = word.partition("=")
        reason = refusal(name) if equals else "is not NAME=VALUE"
        if name.startswith(RESERVED):
            reason = f"must not begin with {' or '.join(RESERVED)}: these tags are for programs"
        if reason is not None:
            problems.append(Problem(word, reason))
        tags[name] = value
    if problems:
        raise ConfigError(*problems)
    return tags


def annotate(
    run: FoundRun, tags: Mapping[str, str], remove: Collection[str] = ()
) -> dict[str, str]:
    """Give a run tags, or take them away; return those that it has been given.

    A note takes the place of the one that a run has by itself. Raises RunError if a tag is one of
    the run itself, or is not there to be removed. If the store does not answer, TrackingError: new
    tags are kept in the folder then, none is removed.
    """
    folder, record = run.here(ended=True)
    if fixed := (tags.keys() & record.tags.keys()) - {Tag.NOTE}:
        said = ", ".join(f"{name}={record.tags[name]}" for name in sorted(fixed))
        raise RunError(f"{run.label} has said {said} itself, which stays; choose another name")
    if missing := set(remove) - record.annotations.keys():
        given = ", ".join(record.annotations) or "none"
        raise RunError(f"{run.label} was not given {', '.join(sorted(missing))}; given: {given}")
    if remove and record.run_id is not None:
        store_of(folder).remove_tags(record.run_id, remove)
    kept = {name: text for name, text in record.annotations.items() if name not in remove}
    record.annotations = {**kept, **tags}
    record.write(folder)
    if record.run_id is not None and not sync(folder).is_all:
        raise TrackingError(f"{run.label} has its tags in {folder}, but MLflow lacks some of it")
    return record.annotations
