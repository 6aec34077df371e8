"""Registries: names in YAML files become classes, and wrong values are refused.

A component is a frozen dataclass of its hyperparameters. Its annotations are the schema: types
for OmegaConf, ranges (`Positive`, `Fraction`, ...) for the check that every component makes of
itself when it is put together. Only registered classes can be named in a configuration.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, dataclass_transform, get_args, get_type_hints


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration: where, and what to do."""

    path: str
    message: str

    def under(self, parent: str) -> Problem:
        """Return the same problem seen from one level up: `lr` becomes `optimizer.lr`."""
        return Problem(f"{parent}.{self.path}" if self.path else parent, self.message)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(ValueError):
    """A configuration that cannot be run, with everything that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__("\n  ".join([f"the configuration has {count}", *map(str, problems)]))

    @classmethod
    def at(cls, path: str, message: str) -> ConfigError:
        """Return the error with a single problem."""
        return cls(Problem(path, message))


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ` Did you mean 'adam'?` for the nearest known word, or nothing.

    >>> did_you_mean("adamm", ["sgd", "adam"])
    " Did you mean 'adam'?"
    """
    near = get_close_matches(word, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


LARGEST = sys.float_info.max
"""The largest finite float; integers can be larger."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """The values a number may have; `Annotated[float, Range(gt=0)]` puts it on a field.

    >>> print(Range(ge=0, lt=1)), print(Range(gt=0)), 1.0 in Range(ge=0, lt=1)
    in [0, 1)
    greater than 0
    (None, None, False)
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            -LARGEST <= value <= LARGEST
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def refusal(self, value: object, shown: str) -> str:
        """Return what is said of a number that is not in the range, as it was written."""
        advice = "; write a finite number" if value in (math.inf, -math.inf) else ""
        return f"must be {self}, got {shown}{advice}"

    def __str__(self) -> str:
        low = {"(": self.gt, "[": self.ge}
        high = {")": self.lt, "]": self.le}
        lows = [f"{bracket}{bound:g}" for bracket, bound in low.items() if bound is not None]
        highs = [f"{bound:g}{bracket}" for bracket, bound in high.items() if bound is not None]
        if lows and highs:
            return f"in {lows[0]}, {highs[0]}"
        words = {"greater than": self.gt, "at least": self.ge, "less than": self.lt}
        return next(
            (f"{word} {bound:g}" for word, bound in words.items() if bound is not None),
            f"at most {self.le:g}" if self.le is not None else "a finite number",
        )


Positive = Annotated[float, Range(gt=0)]
NonNegative = Annotated[float, Range(ge=0)]
Fraction = Annotated[float, Range(ge=0, lt=1)]
Probability = Annotated[float, Range(ge=0, le=1)]
Count = Annotated[int, Range(ge=1)]
CountOrZero = Annotated[int, Range(ge=0)]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
@dataclass(frozen=True, kw_only=True)
class Component:
    """Values from YAML, checked when the component is made. A subclass is a frozen dataclass."""

    def __init_subclass__(cls) -> None:
        """Make a dataclass of the subclass."""
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        problems = [*_choose(self), *_out_of_range(self)] or [*self.conflicts()]
        if problems:
            raise ConfigError(*problems)

    def conflicts(self) -> Iterator[Problem]:
        """Yield what is wrong between fields that are each fine alone. Nothing by default."""
        return iter(())


@cache
def hints_of(cls: type) -> Mapping[str, Any]:
    """Return the types of all attributes that `cls` annotates, with their ranges."""
    return get_type_hints(cls, include_extras=True)


@cache
def ranges(cls: type) -> Mapping[str, Range]:
    """Return the range of every field of `cls` that has one; for a list, that of its items."""
    found = {name: _range_in(hint) for name, hint in hints_of(cls).items()}
    return {name: limits for name, limits in found.items() if limits is not None}


def _range_in(hint: object) -> Range | None:
    """Look for a Range in `Annotated[float, Range]`, `... | None` and `list[...]`."""
    for argument in get_args(hint):
        if isinstance(argument, Range):
            return argument
        if (nested := _range_in(argument)) is not None:
            return nested
    return None


def _out_of_range(component: Component) -> Iterator[Problem]:
    cls: type = type(component)
    for name, limits in ranges(cls).items():
        value = getattr(component, name)
        for item in value if isinstance(value, list | tuple) else [value]:
            if item is None:
                continue
            if isinstance(item, bool) or not isinstance(item, int | float):
                yield Problem(name, f"must be a number, got {item!r}")
            elif item not in limits:
                yield Problem(name, limits.refusal(item, repr(item)))


def _choose(component: Component) -> Iterator[Problem]:
    """Replace the names of choices by their enum members, as Python callers may give them."""
    cls: type = type(component)
    for name, kind in hints_of(cls).items():
        value = getattr(component, name)
        if not (isinstance(kind, type) and issubclass(kind, Enum)) or isinstance(value, kind):
            continue
        if isinstance(value, str) and value in kind.__members__:
            object.__setattr__(component, name, kind[value])  # the dataclass is frozen
        else:
            yield Problem(name, no_choice(kind, value, repr(value)))


def no_choice(kind: type[Enum], value: object, shown: str) -> str:
    """Say that `value` is none of the choices, and which there are."""
    near = did_you_mean(value, list(kind.__members__)) if isinstance(value, str) else ""
    known = ", ".join(member.name for member in kind)
    return f"must be one of {known}, got {shown}.{near}".removesuffix(".")


def is_own(cls: type) -> bool:
    """Tell whether a class is not of this package: somebody has registered one of their own."""
    return cls.__module__.partition(".")[0] != "digit_exp"


C = TypeVar("C")


class Registry(Generic[C]):
    """The named classes of one family, such as all optimizers."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._classes: dict[str, type[C]] = {}

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Return a class decorator that makes the class known as `name`."""

        def add(cls: type[C]) -> type[C]:
            if name in self._classes:
                raise ValueError(f"{self.family} {name!r} is registered already")
            if not is_dataclass(cls):
                raise TypeError(f"{cls.__name__} must be a dataclass to be registered")
            self._classes[name] = cls
            return cls

        return add

    def __getitem__(self, name: str) -> type[C]:
        """Return the class called `name`, or raise ConfigError with the names there are."""
        if name in self._classes:
            return self._classes[name]
        known = self.names()
        raise ConfigError.at(
            self.family,
            f"unknown {self.family} {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}",
        )

    def name_of(self, component: C) -> str:
        """Return the name under which the class of `component` is registered."""
        return next(name for name, cls in self._classes.items() if cls is type(component))

    def names(self) -> list[str]:
        """Return all names in the order of registration, simple to complex."""
        return list(self._classes)
