"""Rules across groups: values that are valid alone, but not together.

A rule names the keys that it reads. It is skipped if one of them is invalid, or if the chosen
components have no such field.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from string import Formatter
from typing import Any

from digit_exp.config.convert import texts_in
from digit_exp.registry import Component, Problem, did_you_mean
from digit_exp.tracking.mlflow.uri import has_password

MOST_BYTES = 200
"""Of the name of a file or folder. File systems allow 255, and the name of a draft is longer."""

OBJECTIVES = ("best_val_acc", "best_val_loss", "final_val_acc", "training_seconds")
"""The metrics of a run's summary by which the jobs of a sweep can be ranked."""

SECRET = (
    "has an address with a password, and a configuration is written to files and to MLflow."
    " Leave the password out"
)

Rule = Callable[..., Iterator[Problem]]
_RULES: list[tuple[tuple[str, ...], Rule]] = []


def conflicts(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between `values`, given by their dotted keys."""
    for key, value in values.items():
        if key != "tracking.uri" and any(map(has_password, texts_in(value))):
            yield Problem(key, SECRET)
    for keys, rule in _RULES:
        if all(key in values for key in keys):
            yield from rule(*(values[key] for key in keys))


def values_of(component: Component, prefix: str = "") -> dict[str, Any]:
    """Return every single value in a component, and in those it holds, by its dotted key."""
    found: dict[str, Any] = {}
    for item in fields(component):
        key, value = f"{prefix}{item.name}", getattr(component, item.name)
        found |= values_of(value, f"{key}.") if isinstance(value, Component) else {key: value}
    return found


def _rule(*keys: str) -> Callable[[Rule], Rule]:
    def add(rule: Rule) -> Rule:
        _RULES.append((keys, rule))
        return rule

    return add


@_rule("run_name")
def _run_name_can_be_shown(name: str | None) -> Iterator[Problem]:
    if name is None:
        return
    if not name.strip():
        yield Problem("run_name", "must not be empty; leave it out to have one made")
    elif not name.isprintable():
        yield Problem("run_name", f"must have no control characters, got {name!r}")
    elif len(name) > 250:
        yield Problem("run_name", f"must have at most 250 characters, got {len(name)}")


@_rule("sweep.name")
def _sweep_name_is_a_folder(name: str | None) -> Iterator[Problem]:
    if name is not None and (set(name) & set("/\\") or name.startswith(".")):
        message = f"names a folder: no slashes, and no dot in front, got {name!r}"
        yield Problem("sweep.name", message)


@_rule("sweep.objective")
def _objective_is_measured(name: str) -> Iterator[Problem]:
    if name.startswith("test_"):
        message = (
            f"must be one of {', '.join(OBJECTIVES)}, got {name!r}. Jobs that are chosen by the"
            " test set have no honest estimate left; the report shows the test accuracy anyway"
        )
        yield Problem("sweep.objective", message)
    elif name not in OBJECTIVES:
        near = did_you_mean(name, [*OBJECTIVES])
        message = f"must be one of {', '.join(OBJECTIVES)}, got {name!r}.{near}".removesuffix(".")
        yield Problem("sweep.objective", message)


@_rule("model.batch_norm", "trainer.batch_size")
def _a_batch_can_be_normalized(batch_norm: bool, batch_size: int) -> Iterator[Problem]:
    if batch_norm and batch_size == 1:
        message = "must be at least 2 with model.batch_norm=true, for a single image has no"
        yield Problem("trainer.batch_size", f"{message} variance, got 1")


@_rule("tracking.experiment")
def _experiment_names_a_folder(name: str) -> Iterator[Problem]:
    if not name.strip(" ."):
        yield Problem("tracking.experiment", f"must name an experiment, got {name!r}")
    elif len(name.encode()) > MOST_BYTES:
        message = f"names a folder: at most {MOST_BYTES} bytes, got {len(name.encode())}"
        yield Problem("tracking.experiment", message)


@_rule("data.val_ratio", "trainer.early_stopping.monitor", "trainer.early_stopping.enabled")
def _early_stopping_is_measured(ratio: float, monitor: Enum, enabled: bool) -> Iterator[Problem]:
    if enabled:
        yield from _unmeasured(ratio, "trainer.early_stopping.monitor", monitor.name)


@_rule("data.val_ratio", "trainer.checkpoint.monitor")
def _checkpoint_is_measured(ratio: float, monitor: Enum) -> Iterator[Problem]:
    yield from _unmeasured(ratio, "trainer.checkpoint.monitor", monitor.name)


@_rule("data.val_ratio", "trainer.checkpoint.filename")
def _filename_is_measured(ratio: float, filename: str) -> Iterator[Problem]:
    for metric in mentioned(filename):
        yield from _unmeasured(ratio, "trainer.checkpoint.filename", metric)


@_rule("data.val_ratio", "schedule.monitor")
def _schedule_is_measured(ratio: float, monitor: Enum) -> Iterator[Problem]:
    yield from _unmeasured(ratio, "schedule.monitor", monitor.name)


@_rule("schedule.warmup_epochs", "trainer.epochs")
def _warmup_ends(warmup: int, epochs: int) -> Iterator[Problem]:
    if 0 < epochs <= warmup:
        message = f"must be less than trainer.epochs={epochs}, got {warmup}"
        yield Problem("schedule.warmup_epochs", message)


def _unmeasured(val_ratio: float, path: str, metric: str) -> Iterator[Problem]:
    if val_ratio == 0 and metric.startswith("val_"):
        instead = metric.replace("val_", "train_")
        yield Problem(
            path,
            f"{metric} needs validation data, but data.val_ratio=0;"
            f" set data.val_ratio=0.1 or use {instead}",
        )


def mentioned(filename: str) -> set[str]:
    """Return the metrics that a checkpoint's filename mentions; none if it is no format."""
    try:
        return {name for _, name, _, _ in Formatter().parse(filename) if name is not None}
    except ValueError:
        return set()
