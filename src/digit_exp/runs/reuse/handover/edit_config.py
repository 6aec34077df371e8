"""Change what a copy of a run says of its place: the address of a store, the folder of its data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from digit_exp.atomic import write_text
from digit_exp.config.serialize import as_yaml, read_yaml
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs import paths
from digit_exp.training.checkpoint import load_checkpoint, save_checkpoint

PLACES = ("data.dir", "data.train", "data.test")
"""Keys that say where the data are. Which data they must be, their digest says."""

Changes = Mapping[str, Mapping[str, object]]
"""New values, by group and key."""


def places(words: Sequence[str]) -> Changes:
    """Return words such as `data.dir=FOLDER` as changes; raises ConfigError for any other word.

    >>> places(["data.dir=/home/me/digits"])
    {'data': {'dir': '/home/me/digits'}}
    """
    found: dict[str, object] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in PLACES or not value:
            allowed = " or ".join(f"{place}=..." for place in PLACES)
            raise ConfigError(Problem(word, f"a run keeps its configuration; only {allowed} moves"))
        found[key.removeprefix("data.")] = value
    return {"data": found} if found else {}


def rewrite(folder: Path, changes: Changes) -> None:
    """Write changed values into the configuration of a run, and into that of its checkpoints."""
    if not changes:
        return
    file = folder / paths.CONFIG
    write_text(file, as_yaml(_changed(read_yaml(file), changes)))
    for path in (folder / paths.LAST_CHECKPOINT.parent).glob("*.npz"):
        found = load_checkpoint(path)
        if (run := found.config.get("run")) is not None:
            config = {**found.config, "run": _changed(run, changes)}
            save_checkpoint(path, found.state, config, version=found.version)


def _changed(values: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    for group, new in changes.items():
        if unknown := new.keys() - values[group].keys():
            key = f"{group}.{min(unknown)}"
            raise ConfigError(Problem(key, "is not a key of this run; see its config.yaml"))
    return {**values, **{group: {**values[group], **new} for group, new in changes.items()}}
