"""The words of a command line: what each one sets, or what is wrong with its form."""

import re
from functools import cache
from typing import Any, get_args, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, ValueType
from hydra.errors import HydraException

from digit_exp.config.convert import quoted
from digit_exp.config.overrides import override, typed
from digit_exp.config.parse import GROUPS, ROOT, leaf_types
from digit_exp.config.schema import FAMILIES, LAUNCH
from digit_exp.registry import ConfigError, Problem, did_you_mean

ONCE = ("sweep", "tracking.uri", "tracking.experiment", "tracking.backend", "tracking", *LAUNCH)
"""What all jobs of a sweep have in common."""

BRACKETS = ("[]", "{}", "()")


def read_word(word: str, parser: OverridesParser) -> Override:
    """Return what a word sets, or raise ConfigError.

    Text is taken as it was typed: `run_name=2024_11_30` is no number, and needs no quotes.
    """
    key, equals, value = word.partition("=")
    try:
        (found,) = parser.parse_overrides([word])
    except (HydraException, ValueError):  # Python reads no number of more than 4,300 digits
        found = None
    if found is None or not found.key_or_group:
        _require_key(word, key, equals, value)
        return _as_text(key, value, parser)
    if is_text(found.key_or_group) and found.value_type is ValueType.ELEMENT:
        is_number = isinstance(found.value(), bool | int | float)
        return _as_text(key, value, parser) if is_number else found
    return found


def _require_key(word: str, key: str, equals: str, value: str) -> None:
    if not equals:
        raise ConfigError.at(word, f"has no value; write {word}=VALUE")
    if not re.fullmatch(r"[~+]*[\w./@-]+", key):
        raise ConfigError.at(key, f"is not a key, got {word!r}; write KEY=VALUE")
    if not is_text(key) and any(value.count(pair[0]) != value.count(pair[1]) for pair in BRACKETS):
        raise ConfigError.at(key, f"has brackets that do not match, got {quoted(value)}")


def _as_text(key: str, value: str, parser: OverridesParser) -> Override:
    try:
        (found,) = parser.parse_overrides([override(key, value)])
    except HydraException:
        word = f"{key}={value}"
        raise ConfigError.at(key, f"is not a key, got {word!r}; write KEY=VALUE") from None
    return found


def elements(found: Override, parser: OverridesParser) -> list[Override]:
    """Return the values of a sweep one by one, or the only value."""
    if not found.is_sweep_override():
        return [found]
    key = found.get_key_element()
    texts = [str(text) for text in found.sweep_string_iterator()]
    typed = str(found.input_line).partition("=")[2]
    if is_text(found.key_or_group) and found.value_type is ValueType.SIMPLE_CHOICE_SWEEP:
        parts = [part.strip() for part in typed.split(",")]
        texts = parts if len(parts) == len(texts) else texts
    return [read_word(f"{key}={text}", parser) for text in texts]


@cache
def all_types() -> dict[str, Any]:
    """Return the type of every key, whatever the choices of groups."""
    types = {**ROOT, **LAUNCH}
    for group, cls in GROUPS.items():
        family = FAMILIES.get(group)
        for kind in [cls] if family is None else [family[name] for name in family.names()]:
            types |= leaf_types(kind, f"{group}.")
    return types


def is_text(key: str) -> bool:
    """Tell whether a key takes text."""
    key = key.lstrip("+~")
    hint = all_types().get(key)
    return hint is str or str in get_args(hint) or key.startswith("tracking.tags.")


def misuse(found: Override, is_sweep: bool, is_search: bool) -> Problem | None:
    """Return what is wrong with the form of an override."""
    key = found.key_or_group
    if found.is_delete():
        return Problem(key, "cannot be removed: every field has a value")
    if found.package is not None:
        return Problem(f"{key}@{found.package}", f"has one place only; write {key}=NAME")
    if not found.is_sweep_override():
        return None
    text = str(found.input_line).partition("=")[2]
    if key in ONCE:
        return Problem(key, f"is the same for all jobs, got several values, {text}; choose one")
    if not is_sweep:
        return Problem(key, f"got several values, {text}: {_one_value(found, key, text)}")
    return _not_a_list(found, key, text, is_search)


def wrong_replicates(seeds: int, replicates: int, race: bool, is_sweep: bool) -> Problem | None:
    """Return what is wrong with the number of replicates, where `seed` has `seeds` values."""
    if replicates > 1 and not is_sweep:
        return Problem("sweep.replicates", f"got {replicates}, which is several runs; add -m")
    if replicates > 1 and seeds > 1 and replicates != seeds:
        message = f"got {replicates}, but seed has {seeds} values; leave one of them out"
        return Problem("sweep.replicates", message)
    if race and is_sweep and max(seeds, replicates) < 2:
        message = "needs several seeds for each configuration; add sweep.replicates=3"
        return Problem("sweep.race", message)
    return None


def _one_value(found: Override, key: str, text: str) -> str:
    """Return how to write several values where one is expected."""
    each = "add -m to run each"
    if is_text(key):
        return f"{each}, or write {typed(override(key, text))}"
    if get_origin(all_types().get(key)) is list and found.is_discrete_sweep():
        values = list(found.sweep_iterator())
        if not any(isinstance(value, list) for value in values):
            return f"write {typed(override(key, values))} for a list"
    return each


def _not_a_list(found: Override, key: str, text: str, is_search: bool) -> Problem | None:
    sweep = found.value()
    if isinstance(sweep, IntervalSweep):
        log = ", log: true" if "log" in sweep.tags else ""
        entry = f"{{type: float, low: {sweep.start}, high: {sweep.end}{log}}}"
        listed = f"{key}=choice({sweep.start},{sweep.end})"
        instead = typed(f"hydra.sweeper.space.{key}={entry}" if is_search else listed)
        return Problem(key, f"needs values that can be listed, got {text}; write {instead}")
    if not list(found.sweep_iterator()):
        return Problem(key, f"stands for no value at all, got {text}")
    return None


def unknown_choice(group: str, choice: object, options: list[str]) -> Problem:
    """Return which choices a group has, for one that it has not."""
    near = did_you_mean(choice, options) if isinstance(choice, str) else ""
    known = ", ".join(options)
    return Problem(group, f"unknown {group} {quoted(choice)}.{near} Known: {known}")
