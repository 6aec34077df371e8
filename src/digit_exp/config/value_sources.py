"""Where a value comes from: the class, every file and every word that sets a key, in their order.

The last one wins. Files are listed as Hydra merges them.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal

import yaml  # type: ignore[import-untyped]
from hydra.types import RunMode

from digit_exp.config.compose import Plan
from digit_exp.config.composition.listed_jobs import read_rows
from digit_exp.config.composition.override_syntax import all_types
from digit_exp.config.overrides import written
from digit_exp.config.parse import GROUPS, defaults, leaves
from digit_exp.config.schema import FAMILIES, PRESETS
from digit_exp.config.serialize import flatten
from digit_exp.config.suggestions import question
from digit_exp.registry import ConfigError
from digit_exp.tracking.mlflow.links import seen_from

Node = Any
"""A node of YAML, which knows its line; the library has no types."""

Kind = Literal["class", "file", "command line", "rows"]

SWEPT = ("hydra", "sweeper", "params")
"""Where a preset lists the values of a sweep."""


@dataclass(frozen=True)
class Source:
    """One place that sets a key."""

    kind: Kind
    where: str
    value: str
    """As it is written there."""


@dataclass(frozen=True)
class Explanation:
    """A key, the values that it comes to, and who sets it; the last source wins."""

    key: str
    values: Sequence[str]
    """One, or those of all jobs."""
    sources: Sequence[Source]


def explain(plan: Plan, key: str, words: Sequence[str]) -> Explanation:
    """Return where the value of `key` comes from. Raises ConfigError if there is no such key."""
    values = list(dict.fromkeys(_values(plan, key)))
    sources = [*_class(plan, key), *_files(plan, key), *_rows(plan, key), *_words(key, words)]
    return Explanation(key, values, sources)


def _values(plan: Plan, key: str) -> Iterator[str]:
    if key.startswith("hydra."):
        yield written(_at(plan.hydra, key.split(".")[1:], key))
        return
    found = [flatten(config) for config in plan.jobs]
    known = [values[key] for values in found if key in values]
    if known:
        yield from map(written, known)
    elif key in PRESETS:
        chosen = (word.partition("=") for word in plan.choices)
        yield next((value for name, _, value in chosen if name == key), "null")
    else:
        yield written(_at(plan.launch, key.split("."), key))


def _at(mapping: Mapping[str, Any], path: Sequence[str], key: str) -> object:
    node: Any = mapping
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            raise ConfigError.at("--explain", _no_such_key(key))
        node = node[part]
    if isinstance(node, Mapping) and node and key not in all_types():
        inner = ", ".join(f"{key}.{name}" for name in node)
        raise ConfigError.at("--explain", f"{key} holds several values: {inner}")
    return node


def _no_such_key(key: str) -> str:
    if key in all_types():
        near = " The chosen component does not have it."
    else:
        near = question(key, [*all_types(), *GROUPS, *PRESETS])
    return f"no such key {key!r} in this configuration.{near}"


def _class(plan: Plan, key: str) -> Iterator[Source]:
    group, _, path = key.partition(".")
    owner: Any = plan.jobs[0]
    if group in GROUPS and path:
        owner = getattr(owner, group)
    elif group in GROUPS:
        return
    *parents, field = (path or key).split(".")
    for parent in parents:
        if not is_dataclass(owner := getattr(owner, parent, None)):
            return
    known = dict(leaves(defaults(type(owner)), {}))
    classes = type(owner).__mro__
    declaring = next((c for c in classes if field in vars(c).get("__annotations__", {})), None)
    if field in known and declaring is not None:
        place = f"class {declaring.__name__}, {_line_of(declaring, field)}"
        yield Source("class", place, written(known[field]))


def _line_of(cls: type, field: str) -> str:
    file = Path(inspect.getsourcefile(cls) or "")
    lines, first = inspect.getsourcelines(cls)
    numbers = (number for number, line in enumerate(lines) if re.match(rf"\s+{field}\s*:", line))
    return f"{seen_from(Path.cwd(), file)}:{first + next(numbers, 0)}"


def _files(plan: Plan, key: str) -> Iterator[Source]:
    """Yield each file that sets the key, in the order in which Hydra merges them."""
    overrides = list(plan.choices)
    listed = plan.loader.compute_defaults_list("config", overrides, RunMode.RUN).defaults
    _, files = plan.loader._parse_overrides_and_create_caching_repo("config", overrides)
    for entry in listed:
        file = files._file(entry.config_path) if entry.config_path else None  # type: ignore[attr-defined]
        if file is None:
            continue
        node = yaml.compose(file.read_text(encoding="utf-8-sig"))
        path = key.split(".")
        package = (entry.package or "").split(".") if entry.package else []
        wanted = [path[len(package) :]] if path[: len(package)] == package else []
        wanted += [[*SWEPT, *path]] if not package else []
        found = [hit for each in wanted if each for hit in _in(node, each)]
        if key in (*FAMILIES, *GROUPS, *PRESETS):
            found = [*_chosen(node, key), *(hit for hit in found if not _is_mapping(hit[1]))]
        for line, value in found[-1:]:
            yield Source("file", f"{seen_from(Path.cwd(), file)}:{line}", _text(value))


def _is_mapping(node: object) -> bool:
    return isinstance(node, yaml.MappingNode)


def _in(node: Node, path: Sequence[str]) -> Iterator[tuple[int, Node]]:
    """Yield line and value wherever a mapping sets a path, with keys that are nested or dotted."""
    if not _is_mapping(node):
        return
    for name, value in node.value:
        parts = str(name.value).split(".")
        if list(path[: len(parts)]) != parts:
            continue
        if len(parts) == len(path):
            yield name.start_mark.line + 1, value
        else:
            yield from _in(value, path[len(parts) :])


def _chosen(node: Node, group: str) -> Iterator[tuple[int, Node]]:
    """Yield line and value of the choice that a list of defaults makes in a group."""
    for _, entries in _in(node, ["defaults"]):
        for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
            for name, value in entry.value if _is_mapping(entry) else ():
                if str(name.value).removeprefix("override ").strip().lstrip("/") == group:
                    yield name.start_mark.line + 1, value


def _text(node: Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return " ".join(yaml.serialize(node, default_flow_style=True).split())


def _rows(plan: Plan, key: str) -> Iterator[Source]:
    settings = plan.launch["sweep"]
    rows = read_rows(settings["zip"], settings["jobs"])
    for number, words in enumerate(rows.words if rows else ()):
        for word in words:
            name, _, text = word.partition("=")
            if name == key and rows is not None:
                yield Source("rows", rows.label([number]), text)


def _words(key: str, words: Sequence[str]) -> Iterator[Source]:
    """Yield what the command line says, of the key or of a mapping that holds it."""
    for word in words:
        name, _, text = word.partition("=")
        name = name.lstrip("+")
        if name == key or (key.startswith(f"{name}.") and text.startswith("{")):
            yield Source("command line", f"command line: {word}", text)
