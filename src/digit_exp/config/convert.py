"""Plain values, as YAML and the command line give them, turned into the types of fields.

The types are those that a component's annotations use: numbers with a `Range`, text, switches,
Enums, lists, and any of them or null. What does not fit is refused with what would.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml  # type: ignore[import-untyped]

from digit_exp.config.overrides import written
from digit_exp.registry import Range, no_choice

Hint = Any
"""The annotation of a field; typing has no type for it."""

LARGEST = 2**63
"""Whole numbers must be smaller: checkpoints and MLflow keep 64 bits."""

MOST_SHOWN = 250
"""Characters of a wrong value that are repeated."""

NOUNS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


class InvalidValue(ValueError):
    """A value that does not fit its field; the message says what does."""


def convert(value: object, hint: Hint) -> Hint:
    """Return `value` as the annotated type `hint`, or raise InvalidValue.

    >>> convert(1e3, int), convert(1, float), convert(None, int | None)
    (1000, 1.0, None)
    """
    kind, limits, may_be_null = unwrapped(hint)
    if may_be_null and value is None:
        return None
    if any("${" in text for text in texts_in(value)):
        raise InvalidValue(
            f"must be written out, got {quoted(value)}: values refer to nothing else"
        )
    origin: object = get_origin(kind)
    if origin is list:
        return _list(value, *get_args(kind))
    if origin is dict:
        return _mapping(value, get_args(kind)[1])
    if issubclass(kind, Enum):
        return _choice(value, kind)
    found = _scalar(value, kind)
    if wrong := [limit for limit in limits if found not in limit]:
        raise InvalidValue(wrong[0].refusal(found, quoted(value)))
    return found


def unwrapped(hint: Hint) -> tuple[Hint, list[Range], bool]:
    """Return the type in an annotation, the ranges of its numbers, and whether it may be null.

    >>> from digit_exp.registry import Count
    >>> unwrapped(Count | None)
    (<class 'int'>, [Range(gt=None, ge=1, lt=None, le=None)], True)
    """
    origin: object = get_origin(hint)
    if origin is Annotated:
        kind, *limits = get_args(hint)
        return kind, [limit for limit in limits if isinstance(limit, Range)], False
    if origin in (Union, UnionType):
        inner = next(argument for argument in get_args(hint) if argument is not NoneType)
        return *unwrapped(inner)[:2], True
    return hint, [], False


def plain(value: object) -> object:
    """Return the inverse of `convert`: what JSON and YAML can hold.

    >>> plain({"sizes": (3, 4)})
    {'sizes': [3, 4]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def quoted(value: object) -> str:
    """Return how a value is written in YAML, with quotes around text.

    >>> quoted([None, True, "fast"])
    "[null, true, 'fast']"
    """
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {quoted(item)}" for key, item in value.items()) + "}"
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:40]}… ({len(text)} characters)"


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def _scalar(value: object, kind: type) -> Hint:
    if isinstance(value, bool):
        if kind is bool:
            return value
    elif isinstance(value, int | float):
        if kind is float or (kind is int and value == value // 1):  # 1e3 is whole
            return _number(value, kind)
    elif isinstance(value, str) and kind is str:
        return value
    article = "a " if kind in (int, float) else ""
    quotes = "; put it in quotes" if kind is str and isinstance(value, int | float) else ""
    raise InvalidValue(f"must be {article}{NOUNS[kind]}, got {quoted(value)}{quotes}")


def _number(value: float, kind: type) -> object:
    if isinstance(value, int) and not -LARGEST < value < LARGEST:
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        raise InvalidValue(f"must be less than 2**63, got a number of {digits} digits")
    return kind(value)


def _choice(value: object, kind: type[Enum]) -> Enum:
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    raise InvalidValue(no_choice(kind, value, quoted(value)))


def _list(value: object, hint: Hint) -> list[object]:
    kind, *_ = unwrapped(hint)
    wanted = f"must be a list of {NOUNS[kind]}s, got {quoted(value)}"
    if not isinstance(value, list):
        raise InvalidValue(f"{wanted}{_meant(value, kind)}")
    try:
        items = [convert(item, kind) for item in value]
    except InvalidValue:
        if all(type(item) is kind for item in value):  # of the right type, and out of range
            raise
        raise InvalidValue(wanted) from None
    return [convert(item, hint) for item in items]


def _meant(value: object, kind: type) -> str:
    try:
        items = yaml.safe_load(value) if isinstance(value, str) else value
        listed = [convert(item, kind) for item in (items if isinstance(items, list) else [items])]
    except (ValueError, yaml.YAMLError):
        return ""
    return f"; write {written(listed)}"


def _mapping(value: object, kind: Hint) -> dict[str, object]:
    if kind is not str:
        if isinstance(value, Mapping) and all(isinstance(v, list) for v in value.values()):
            return {str(key): items for key, items in value.items()}
        wanted = "must have a list of values for each key"
        raise InvalidValue(f"{wanted}, got {quoted(value)}; write {{KEY: [1, 2], KEY: [3, 4]}}")
    if not isinstance(value, Mapping):
        raise InvalidValue(f"must be names with values, got {quoted(value)}; write {{name: value}}")
    return {str(key): convert(item, kind) for key, item in value.items()}
