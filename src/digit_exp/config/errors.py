"""What is wrong with the form of an override, whatever its key, and which form is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra.core.override_parser.types import Override

from digit_exp.config.convert import shown
from digit_exp.registry import Problem, did_you_mean


def superfluous_plus(override: Override) -> Iterator[Problem]:
    """Yield that a `+` before a key that exists is one too many."""
    if override.is_add() or override.is_force_add():
        key, value = override.key_or_group, override.get_value_element_as_str()
        yield Problem(key, f"is there already; write {key}={value}")


def misuse(override: Override, multirun: bool) -> Problem | None:
    """Return what is wrong with the form of an override."""
    key = override.key_or_group
    if override.is_delete():
        return Problem(key, "cannot be removed: every field has a value")
    if override.package is not None:
        return Problem(f"{key}@{override.package}", f"has one place only; write {key}=NAME")
    if not override.is_sweep_override():
        return None
    text = str(override.input_line).partition("=")[2]
    if not multirun:
        several = f"got several values, {text}: add -m to run each"
        return Problem(key, f"{several}, or write [{text}] for a list")
    if not override.is_discrete_sweep():
        return Problem(key, f"needs values that can be listed, got {text}; write choice(...)")
    if not list(override.sweep_iterator()):
        return Problem(key, f"stands for no value at all, got {text}")
    return None


def unreadable(text: str) -> Problem:
    """Return what a person can do about an override that cannot be parsed."""
    key, equals, value = text.partition("=")
    if not equals:
        return Problem(text, f"has no value; write {text}=VALUE")
    if not re.fullmatch(r"[~+]*[\w./@-]+", key):
        return Problem(key, f"is not a key, got {text!r}; write KEY=VALUE")
    if any(value.count(left) != value.count(right) for left, right in ("[]", "{}", "()")):
        return Problem(key, f"has brackets that do not match, got {shown(value)}")
    return Problem(
        key, f"cannot be read, got {shown(value)}; write '{key}=\"{value}\"', with both quotes"
    )


def unknown_choice(group: str, choice: object, options: list[str]) -> Problem:
    """Return which choices a group has, for one that it has not."""
    near = did_you_mean(choice, options) if isinstance(choice, str) else ""
    known = ", ".join(options)
    return Problem(group, f"unknown {group} {shown(choice)}.{near} Known: {known}")
