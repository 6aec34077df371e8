"""JSON schemas of the YAML files, by which editors complete keys and underline wrong values.

Types, ranges and defaults are those of the registered classes; what a key means is the comment
beside it in `conf/`, as in the reference.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from digit_exp.atomic import write_text
from digit_exp.config.convert import Hint, unwrapped
from digit_exp.config.parse import ABSENT, GROUPS, ROOT, defaults, leaf_types, leaves
from digit_exp.config.paths import choices, conf_dir
from digit_exp.config.reference_page import comments, launch_defaults, type_in_words
from digit_exp.config.schema import FAMILIES, LAUNCH, PRESETS

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What the YAML plug-ins of editors understand."""

KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}
BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
SPACE: Schema = {
    "type": "object",
    "description": "how to search each key: a range, or a list of choices",
    "additionalProperties": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": ["float", "int", "categorical"]},
            "low": {"type": "number"},
            "high": {"type": "number"},
            "step": {"type": "number", "exclusiveMinimum": 0},
            "log": {"type": "boolean"},
            "choices": {"type": "array", "minItems": 1},
        },
        "additionalProperties": False,
    },
}

SEARCH: Schema = {
    "mode": {"enum": ["RUN", "MULTIRUN"]},
    "launcher": {"type": "object", "description": "the settings of the launcher"},
    "sweeper": {
        "type": "object",
        "properties": {
            "params": {"type": "object", "description": "values to combine: KEY: a,b,c"},
            "space": SPACE,
            "sampler": {"type": "string", "description": "a sampler of Optuna, by its class"},
            "sampler_options": {"type": "object"},
            "n_trials": {"type": "integer", "minimum": 1},
            "n_jobs": {"type": ["integer", "null"]},
            "max_batch_size": {"type": ["integer", "null"], "minimum": 1},
            "seed": {"type": ["integer", "null"]},
            "storage": {"type": "string", "description": "a database's address"},
        },
        "additionalProperties": False,
    },
}


def schemas() -> dict[str, Schema]:
    """Return the schema of every kind of file by the name of its folder in `conf/`."""
    found: Schema = {
        "config": _whole(),
        **{group: _group(group, cls) for group, cls in GROUPS.items()},
        **{name: {"$ref": "config.json"} for name in PRESETS},  # a preset sets values of all groups
        "space": {"title": "A search space", **SPACE},
        "hydra": {"title": "Hydra's own settings", "type": "object"},
    }
    return {name: {"$schema": DIALECT, **schema} for name, schema in found.items()}


def type_schema(hint: Hint) -> Schema:
    """Return the schema of a field's type.

    >>> from digit_exp.registry import Fraction
    >>> type_schema(Fraction)
    {'type': 'number', 'minimum': 0, 'exclusiveMaximum': 1}
    """
    kind, limits, may_be_null = unwrapped(hint)
    found: Schema = {
        word: bound
        for limit in limits
        for name, word in BOUNDS.items()
        if (bound := getattr(limit, name)) is not None
    }
    origin: object = get_origin(kind)
    if origin is list:
        found = {"type": "array", "items": type_schema(*get_args(kind))}
    elif origin is dict:
        inner = "array" if get_origin(get_args(kind)[1]) is list else "string"
        found = {"type": "object", "additionalProperties": {"type": inner}}
    else:
        own = {"enum": [*kind.__members__]} if issubclass(kind, Enum) else {"type": KINDS[kind]}
        found = own | found
    return {"anyOf": [found, {"type": "null"}]} if may_be_null else found


def _group(group: str, cls: type) -> Schema:
    """Return the schema of a group's files: the keys depend on the class that `defaults` names."""
    title = {"title": f"A choice of the group {group}", "type": "object", "required": ["defaults"]}
    if group not in FAMILIES:
        plain = _object(_fields(cls, _notes(group)))
        _accept_dotted(plain)
        return title | {"required": [], **plain}
    names = FAMILIES[group].names()
    return title | {
        "properties": {"defaults": {"type": "array"}},
        "anyOf": [
            {
                "title": f"{group}={name}",
                **_object(
                    _fields(FAMILIES[group][name], _notes(group, name)),
                    {"type": "array", "contains": {"enum": [f"schema/{name}", name]}},
                ),
            }
            for name in names
        ],
    }


def _whole() -> Schema:
    root = {**_tree({**ROOT, **LAUNCH}, launch_defaults(), comments(conf_dir() / "config.yaml"))}
    for group, cls in GROUPS.items():
        root[group] = _object(_any_choice(group, cls))
    hydra = {"type": "object", "properties": SEARCH, "additionalProperties": False}
    found = _object({**root, "hydra": hydra})
    _accept_dotted(found)
    return {"title": "A configuration, or a preset", **found}


def _any_choice(group: str, cls: type) -> Schema:
    """Return the fields of all classes of a group: which is chosen, another file may say."""
    if group not in FAMILIES:
        return _fields(cls, _notes(group))
    found: Schema = {}
    for name in FAMILIES[group].names():
        for key, schema in _fields(FAMILIES[group][name], _notes(group, name)).items():
            known: Any = found.setdefault(key, schema)
            if _bare(known) != _bare(schema):
                found[key] = {"anyOf": [*known.get("anyOf", [known]), schema]}
    return found


def _bare(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("description", "default")}


def _fields(cls: type, notes: Mapping[str, str]) -> Schema:
    types = leaf_types(cls)
    return _tree(types, dict(leaves(defaults(cls), types)), notes)


def _tree(types: Mapping[str, Hint], values: Mapping[str, Any], notes: Mapping[str, str]) -> Schema:
    """Return the properties of an object, from its fields by their dotted paths."""
    found: Schema = {}
    for path, hint in types.items():
        *parents, last = path.split(".")
        node = found
        for parent in parents:
            node = node.setdefault(parent, _object({}))["properties"]
        default = values.get(path, ABSENT)
        words = "; ".join(filter(None, [notes.get(path), type_in_words(hint).replace("`", "")]))
        node[last] = {**type_schema(hint), "description": words}
        if default != ABSENT:
            node[last]["default"] = default
    return found


def _object(properties: Schema, listed: Schema | None = None) -> Schema:
    """Return the schema of a mapping with these keys and no others."""
    keys = {"defaults": listed or {"type": "array"}, **properties}
    return {"type": "object", "properties": keys, "additionalProperties": False}


def _accept_dotted(schema: Schema, place: str = "#") -> None:
    """Let an object at `place`, and those in it, hold keys with dots: `a.b: 1` is `a: {b: 1}`."""
    properties = schema.get("properties", {})
    dotted = {f"^{re.escape(key)}$": {"$ref": each} for key, each in _dotted(properties, place)}
    if dotted:
        schema["patternProperties"] = dotted
    for key, inner in properties.items():
        _accept_dotted(inner, f"{place}/properties/{key}")


def _dotted(properties: Schema, place: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted keys of nested objects, and where the schema of each is."""
    for key, schema in properties.items():
        here = f"{place}/properties/{key}"
        if prefix and key != "defaults":
            yield f"{prefix}{key}", here
        if schema.get("properties"):
            yield from _dotted(schema["properties"], here, f"{prefix}{key}.")


def _notes(group: str, name: str | None = None) -> dict[str, str]:
    names = [name] if name else [choice for choice, _ in choices(group)]
    files = [conf_dir() / group / f"{each}.yaml" for each in reversed(names)]
    found = [comments(file) for file in files if file.is_file()]  # not of one's own classes
    return {key: words for notes in found for key, words in notes.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write a file for each schema, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Path] = []
    for name, schema in schemas().items():
        found.append(folder / f"{name}.json")
        text = json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True)
        write_text(found[-1], f"{text}\n")
    return found
