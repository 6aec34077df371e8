"""The configuration of a run: its groups, and the fields of those without a registry.

The fields of the others (model, optimizer, ...) are those of the registered classes.
"""

from collections.abc import Iterator
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any

from digit_exp.config.constraints import MOST_BYTES, conflicts, mentioned, values_of
from digit_exp.data.augmentations import AUGMENTATIONS, Augmentation
from digit_exp.data.sources import DATASETS, DataSource
from digit_exp.nn.models import MODELS, AnyModel
from digit_exp.optim.optimizers import OPTIMIZERS, Optimizer
from digit_exp.optim.regularizers import REGULARIZERS, Regularizer
from digit_exp.optim.schedules import SCHEDULES, Monitor, Schedule
from digit_exp.pruning.pruners import PRUNERS, Pruner
from digit_exp.registry import (
    Component,
    ConfigError,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Positive,
    Problem,
    Registry,
    is_own,
)
from digit_exp.tracking.mlflow.sync.entities import refusal
from digit_exp.tracking.mlflow.uri import locate, masked

FAMILIES: dict[str, Registry[Any]] = {
    "data": DATASETS,
    "model": MODELS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "regularization": REGULARIZERS,
    "augmentation": AUGMENTATIONS,
    "pruner": PRUNERS,
}


def own_classes() -> list[type]:
    """Return the registered classes that are not of this package."""
    found = (registry[name] for registry in FAMILIES.values() for name in registry.names())
    return [cls for cls in found if is_own(cls)]


class Mode(Enum):
    """Which direction is better; auto takes it from the metric's name."""

    auto = "auto"
    min = "min"
    max = "max"


class Backend(Enum):
    """Where a run is tracked."""

    mlflow = "mlflow"
    none = "none"


class MonitorSettings(Component):
    """A metric to watch, and which direction is better."""

    monitor: Monitor = Monitor.val_acc
    mode: Mode = Mode.auto

    def conflicts(self) -> Iterator[Problem]:
        better = Mode.max if self.monitor.rises else Mode.min
        if self.mode not in (Mode.auto, better):
            yield Problem(
                "mode",
                f"must be {better.name} or auto for {self.monitor.name}, got {self.mode.name!r}",
            )


class EarlyStoppingSettings(MonitorSettings):
    """When to stop before the last epoch (specification, section 6)."""

    enabled: bool = True
    patience: Count = 5
    min_delta: NonNegative = 0.001
    restore_best: bool = True


class CheckpointSettings(MonitorSettings):
    """Which checkpoints to keep beside `last.npz` (specification, section 7)."""

    save_best_only: bool = True
    every: Count = 1
    keep: CountOrZero = 1
    filename: str = "best.npz"

    def conflicts(self) -> Iterator[Problem]:
        yield from super().conflicts()
        if (reason := _unusable(self.filename)) is not None:
            yield Problem("filename", f"{reason}, got {self.filename!r}")
        elif self.keep > 1 and "{" not in self.filename:
            yield Problem(
                "keep", f"{self.keep} files need names that differ; put {{epoch}} in filename"
            )


class TrainerSettings(Component):
    """How long and in which steps to train."""

    epochs: CountOrZero = 20
    batch_size: Count = 32
    eval_every: Count = 1
    minutes: Positive | None = None
    fit_minutes: Positive | None = None
    threads: Count = 1
    ema: Fraction = 0.0
    ema_share: Fraction = 0.0
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)

    def conflicts(self) -> Iterator[Problem]:
        if self.ema and self.ema_share:
            yield Problem("ema_share", "says what ema says in another way; set one of them to 0")


class TrackingSettings(Component):
    """Where metrics and artifacts go. Without a `uri`, to `mlruns/mlflow.db` of this folder."""

    backend: Backend = Backend.mlflow
    uri: str | None = None
    experiment: str = "digits"
    system_metrics: Positive | None = 5.0
    tags: dict[str, str] = field(default_factory=dict)

    def conflicts(self) -> Iterator[Problem]:
        for tag in self.tags:
            if (reason := refusal(tag)) is not None:
                yield Problem("tags", f"the name of a tag {reason}")
        if self.uri is not None:
            if (shown := masked(self.uri)) != self.uri:
                yield Problem(
                    "uri",
                    f"{shown} may have a password, and a configuration is written to files and to"
                    " MLflow. Give it in the environment: MLFLOW_TRACKING_URI",
                )
            try:
                locate(self.uri, Path.cwd())
            except ConfigError as error:
                yield from (Problem("uri", problem.message) for problem in error.problems)


class RunConfig(Component):
    """Everything that determines a run."""

    seed: CountOrZero = 42
    run_name: str | None = None
    start_from: str | None = None
    data: DataSource
    model: AnyModel
    optimizer: Optimizer
    schedule: Schedule
    regularization: Regularizer
    augmentation: Augmentation
    pruner: Pruner
    trainer: TrainerSettings
    tracking: TrackingSettings

    @property
    def classes(self) -> list[type]:
        """The registered classes that were chosen."""
        return [type(getattr(self, family)) for family in FAMILIES]

    def conflicts(self) -> Iterator[Problem]:
        return conflicts(values_of(self))


LAUNCH: dict[str, Any] = {
    "resume": str | None,
    "sweep.name": str | None,
    "sweep.rerun": bool,
    "sweep.fail_fast": bool,
    "sweep.objective": str,
    "sweep.replicates": Count | None,
    "sweep.race": bool,
    "sweep.minutes": Positive | None,
    "sweep.zip": dict[str, list[Any]] | None,
    "sweep.jobs": str | None,
}
"""Keys that say how runs are started, and are not part of a RunConfig."""

PRESETS = ("experiment", "sweep")
"""The groups of named presets. They set values of the other groups."""

EXAMPLES = {"epoch": 1} | {monitor.name: 0.5 for monitor in Monitor}
"""Names that a checkpoint's filename may contain, with values to try it."""


def _unusable(filename: str) -> str | None:
    if not mentioned(filename) <= EXAMPLES.keys():
        return f"may mention only {', '.join(f'{{{name}}}' for name in EXAMPLES)}"
    try:
        rendered = filename.format_map(EXAMPLES)
    except (ValueError, LookupError) as error:
        return f"must be a format that Python understands ({error})"
    if not filename.endswith(".npz") or set(rendered) & set("/\\:") or rendered.startswith("."):
        return "must be a plain file name that ends in .npz"
    if len(rendered.encode()) > MOST_BYTES:
        return f"must have at most {MOST_BYTES} bytes"
    if not rendered.isprintable():
        return "must have no control characters"
    if rendered == "last.npz":
        return "must not be the name of the latest state"
    return None
