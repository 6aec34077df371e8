"""The search space: from what a person writes in YAML to Optuna's distributions.

    optimizer.lr:       {type: float, low: 0.0001, high: 0.01, log: true}
    trainer.epochs:     {type: int, low: 10, high: 50, step: 10}
    model.hidden:       {type: categorical, choices: [[128, 64], [256, 128]]}

Choices are kept as the text that follows `KEY=` on a command line: Optuna stores no lists.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from digit_exp.config.overrides import written
from digit_exp.registry import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float

FIELDS = {
    "float": ("low", "high", "log", "step"),
    "int": ("low", "high", "log", "step"),
    "categorical": ("choices",),
}
"""The keys that an entry of each type may have; `low` and `high`, or `choices`, are required."""


def distributions(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Return the distribution of every key, or raise ConfigError with everything that is wrong."""
    problems = [
        Problem(key, message) for key, entry in space.items() for message in _problems(entry)
    ]
    if problems:
        raise ConfigError(*problems)
    return {key: _distribution(entry) for key, entry in space.items()}


def categorical(values: Sequence[object]) -> dict[str, Any]:
    """Return the entry for a list of values."""
    return {"type": "categorical", "choices": list(values)}


def _problems(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"must say how to search, like {{type: float, low: 0.1, high: 1}}, got {entry!r}"
        return
    kind = entry.get("type")
    if kind not in FIELDS:
        near = did_you_mean(str(kind), list(FIELDS))
        yield f"unknown type {kind!r}.{near} Known: {', '.join(FIELDS)}"
        return
    allowed = FIELDS[kind]
    for name in entry:
        if name not in ("type", *allowed):
            near = did_you_mean(str(name), list(allowed))
            yield f"{kind} has no {name!r}.{near} Known: {', '.join(allowed)}"
    yield from _wrong_choices(entry) if kind == "categorical" else _wrong_range(kind, entry)


def _wrong_choices(entry: Mapping[str, Any]) -> Iterator[str]:
    choices = entry.get("choices")
    if not isinstance(choices, list) or not choices:
        yield f"choices must be a list of at least one value, got {choices!r}"


def _wrong_range(kind: str, entry: Mapping[str, Any]) -> Iterator[str]:
    numbers = {name: entry.get(name) for name in ("low", "high", "step")}
    if numbers["step"] is None:
        del numbers["step"]
    wrong = {name: value for name, value in numbers.items() if not _is_number(kind, value)}
    what = "a whole number" if kind == "int" else "a number"
    for name, value in wrong.items():
        yield f"{name} must be {what}, got {value!r}"
    log = entry.get("log", False)
    if not isinstance(log, bool):
        yield f"log must be true or false, got {log!r}"
    if wrong:
        return
    low, high, step = entry["low"], entry["high"], entry.get("step")
    if low >= high:
        yield f"low must be less than high, got low {low!r} and high {high!r}"
    if step is not None and step <= 0:
        yield f"step must be greater than 0, got {step!r}"
    if log is True and low <= 0:
        yield f"low must be greater than 0 where log is true, got {low!r}"
    if log is True and step is not None:
        yield "log and step exclude each other; list the values as choices of a categorical"


def _is_number(kind: str, value: object) -> bool:
    wanted = int if kind == "int" else int | float
    if isinstance(value, bool) or not isinstance(value, wanted):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # a whole number may be beyond it


def _distribution(entry: Mapping[str, Any]) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if entry["type"] == "categorical":
        return CategoricalDistribution(list(dict.fromkeys(map(written, entry["choices"]))))
    low, high = entry["low"], entry["high"]
    log, step = entry.get("log", False), entry.get("step")
    if step is not None:  # the last step may not reach `high`, and Optuna warns where it must cut
        high = low + int((high - low) / step + 1e-9) * step
    if entry["type"] == "int":
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)
