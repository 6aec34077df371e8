"""Reads a plain mapping as a RunConfig, or reports everything that is wrong with it at once.

After a wrong value the rest is checked without it and without the component that needs it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from digit_exp.config.constraints import conflicts
from digit_exp.config.convert import InvalidValue, convert, plain, quoted
from digit_exp.config.schema import FAMILIES, LAUNCH, PRESETS, RunConfig
from digit_exp.config.suggestions import question
from digit_exp.registry import Component, ConfigError, Problem, hints_of

ABSENT = "???"
"""How OmegaConf writes a value that must be given."""

OPAQUE = {
    "hydra.hydra_logging",
    "hydra.job.env_set",
    "hydra.job_logging",
    "hydra.sweeper.params",
    "hydra.sweeper.space",
    "sweep.zip",
    "tracking.tags",
}
"""Mappings whose keys are names: a dot in them is a dot."""

WRONG = object()
"""Marks a value that was refused."""


def field_types(cls: type) -> dict[str, Any]:
    """Return the type of every field of `cls`, ranges included."""
    hints = hints_of(cls)  # with those of class variables
    return {field.name: hints[field.name] for field in fields(cls)}


def _is_component(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Component)


GROUPS: dict[str, type] = {
    name: hint for name, hint in field_types(RunConfig).items() if _is_component(hint)
}
ROOT: dict[str, Any] = {
    name: hint for name, hint in field_types(RunConfig).items() if name not in GROUPS
}


def defaults(cls: type) -> dict[str, Any]:
    """Return the plain default of every field of `cls`, ABSENT where it has none."""
    found: dict[str, Any] = {}
    for item in fields(cls):
        if item.default_factory is not MISSING:
            found[item.name] = plain(item.default_factory())
        else:
            found[item.name] = ABSENT if item.default is MISSING else plain(item.default)
    return found


def leaf_types(cls: type, prefix: str = "") -> dict[str, Any]:
    """Return the type of every single value below `cls`, by its dotted path."""
    found: dict[str, Any] = {}
    for name, hint in field_types(cls).items():
        nested = _is_component(hint)
        found |= leaf_types(hint, f"{prefix}{name}.") if nested else {f"{prefix}{name}": hint}
    return found


def leaves(
    mapping: Mapping[str, Any], types: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield dotted paths and values; a mapping that is itself a value of `types` stays whole."""
    for key, value in mapping.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and path not in types:
            yield from leaves(value, types, f"{path}.")
        else:
            yield path, value


def nested(mapping: Mapping[Any, Any], path: str = "") -> dict[Any, Any]:
    """Return a mapping in which `a.b: 1` is `a: {b: 1}`; what comes later in it wins.

    >>> nested({"optimizer": {"lr": 0.1, "eps": 0}, "optimizer.lr": 0.5})
    {'optimizer': {'lr': 0.5, 'eps': 0}}
    """
    found: dict[Any, Any] = {}
    for key, value in mapping.items():
        first, dot, rest = str(key).partition(".")
        if dot and first and rest and path not in OPAQUE:
            key, value = first, {rest: value}
        if isinstance(value, Mapping):
            value = nested(value, f"{path}.{key}" if path else str(key))
            if isinstance(found.get(key), dict):
                value = merged(found[key], value)
        found[key] = value
    return found


def merged(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return both mappings as one, at any depth; the other's values win."""
    found = dict(one)
    for key, value in other.items():
        both = isinstance(found.get(key), Mapping) and isinstance(value, Mapping)
        found[key] = merged(found[key], value) if both else value
    return found


class MappingReader:
    """A mapping, read: the `parts` of a RunConfig, and all `problems`."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._values: dict[str, Any] = {}
        self._choices: dict[str, str] = {}
        self._classes = dict(self._choose_classes(mapping))
        self._types = {**ROOT, **LAUNCH}
        for group, cls in self._classes.items():
            self._types |= leaf_types(cls, f"{group}.")
        self._read_values(mapping)
        self._fill_in_defaults()
        self.parts = self._build_parts()
        right = {key: value for key, value in self._values.items() if value is not WRONG}
        # RunConfig checks its own conflicts, but not the keys of LAUNCH
        launch = {key: value for key, value in right.items() if key in LAUNCH}
        self.problems += conflicts(right if self.problems else launch)

    def require_objective(self) -> None:
        """Refuse an objective that the job does not measure."""
        values = (self._values.get(key, WRONG) for key in ("sweep.objective", "data.val_ratio"))
        objective, ratio = values
        if objective is not WRONG and ratio == 0 and "_val_" in str(objective):
            message = f"{objective} needs validation data, but data.val_ratio=0;"
            instead = "set data.val_ratio=0.1 or sweep.objective=training_seconds"
            self._refuse("sweep.objective", f"{message} {instead}")

    def _choose_classes(self, mapping: Mapping[str, Any]) -> Iterator[tuple[str, type]]:
        """Yield the class of each group, if its choice is clear."""
        for group, cls in GROUPS.items():
            settings = mapping.get(group)
            if not isinstance(settings, Mapping):
                self._refuse(group, f"must be a group of settings, got {quoted(settings)}")
            elif group not in FAMILIES:
                self._choices[group] = group
                yield group, cls
            elif "name" not in settings:
                names = ", ".join(FAMILIES[group].names())
                self._refuse(group, f"its file lacks 'defaults: [schema/NAME]', one of {names}")
            else:
                self._choices[group] = str(settings["name"])
                if (chosen := self._look_up(group)) is not None:
                    yield group, chosen

    def _look_up(self, family: str) -> type | None:
        try:
            return FAMILIES[family][self._choices[family]]
        except ConfigError as error:
            self.problems += error.problems
            return None

    def _read_values(self, mapping: Mapping[str, Any]) -> None:
        for path, value in leaves(mapping, self._types):
            group = path.partition(".")[0]
            if value == ABSENT or (path == f"{group}.name" and group in FAMILIES):
                continue
            if group in GROUPS and group not in self._classes:
                continue  # without its class, its fields are unknown
            if path not in self._types:
                self._refuse(path, self._explain(path, value))
                continue
            try:
                self._values[path] = convert(value, self._types[path])
            except InvalidValue as refused:
                self._refuse(path, str(refused))

    def _fill_in_defaults(self) -> None:
        for group, cls in self._classes.items():
            prefix = f"{group}."
            for path, value in leaves(defaults(cls), leaf_types(cls, prefix), prefix):
                if path in self._values:
                    continue
                if value == ABSENT:
                    self._refuse(path, f"must be given: {path}=VALUE")
                else:
                    self._values[path] = convert(value, self._types[path])

    def _refuse(self, path: str, message: str) -> None:
        self._values[path] = WRONG
        self.problems.append(Problem(path, message))

    def _explain(self, path: str, value: object) -> str:
        """Return the message for an unknown key, with the one that may be meant."""
        if inner := [key for key in self._types if key.startswith(f"{path}.")]:
            return f"holds several values, got {quoted(value)}; write one of {', '.join(inner)}"
        group, _, field = path.partition(".")
        if group not in self._choices:
            message, others = "no such key", []
        else:
            message = f"not a field of {self._choices[group]}"
            names = FAMILIES[group].names() if group in FAMILIES else []
            others = [name for name in names if field in leaf_types(FAMILIES[group][name])]
        if others:
            return f"{message}; {', '.join(others)} {'has' if len(others) == 1 else 'have'} it"
        if near := question(path, [*self._types, *GROUPS, *PRESETS]):
            return f"{message}.{near}"
        known = [key for key in self._types if key.startswith(f"{group}.")] or [
            *(ROOT | LAUNCH | GROUPS),
            *PRESETS,
        ]
        return f"{message}. Known: {', '.join(known)}"

    def _build_parts(self) -> dict[str, Any]:
        built = {group: self._build(cls, group) for group, cls in self._classes.items()}
        return {name: self._values[name] for name in ROOT if name in self._values} | built

    def _build(self, cls: type, path: str) -> object:
        arguments: dict[str, Any] = {}
        for name, hint in field_types(cls).items():
            inner = f"{path}.{name}"
            if _is_component(hint):
                arguments[name] = self._build(hint, inner)
            else:
                arguments[name] = self._values[inner]
        if any(value is WRONG for value in arguments.values()):
            return WRONG
        try:
            return cls(**arguments)
        except ConfigError as error:
            self.problems += [problem.under(path) for problem in error.problems]
            return WRONG


def from_mapping(mapping: Mapping[str, Any], in_sweep: bool = False) -> RunConfig:
    """Return the configuration that `resolved` wrote down; raises ConfigError.

    In a sweep, its `sweep.objective` must be measured.
    """
    reader = MappingReader(mapping)
    if in_sweep:
        reader.require_objective()
    if reader.problems:
        raise ConfigError(*reader.problems)
    return RunConfig(**reader.parts)
