"""The shape of a whole configuration: which groups there are and what the plain ones hold.

The registered families bring their own fields; here stand the groups that have no registry
(trainer, tracking) and the root, in the order in which a person meets them.
"""

from dataclasses import dataclass, field
from enum import Enum

from digit_exp.data.augmentations import AUGMENTATIONS, Augmentation
from digit_exp.data.sources import DATASETS, DataSource
from digit_exp.nn.models import MODELS, Model
from digit_exp.optim.optimizers import OPTIMIZERS, Optimizer
from digit_exp.optim.regularizers import REGULARIZERS, Regularizer
from digit_exp.optim.schedules import SCHEDULES, Schedule
from digit_exp.registry import Component, Count, CountOrZero, Fraction, NonNegative, Registry

FAMILIES: dict[str, Registry] = {
    "data": DATASETS,
    "model": MODELS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "regularization": REGULARIZERS,
    "augmentation": AUGMENTATIONS,
}


class Monitor(Enum):
    """The metrics that early stopping and checkpoints can watch."""

    train_loss = "train_loss"
    train_acc = "train_acc"
    val_loss = "val_loss"
    val_acc = "val_acc"


class Mode(Enum):
    """Which direction is better; auto takes it from the metric's name."""

    auto = "auto"
    min = "min"
    max = "max"


class Backend(Enum):
    """Where a run is tracked."""

    mlflow = "mlflow"
    none = "none"


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings(Component):
    """When to stop before the last epoch (specification, section 6)."""

    enabled: bool = True
    monitor: Monitor = Monitor.val_acc
    mode: Mode = Mode.auto
    patience: Count = 5
    min_delta: NonNegative = 0.001
    restore_best: bool = True


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings(Component):
    """Which checkpoints to keep beside `last.npz` (specification, section 7)."""

    monitor: Monitor = Monitor.val_acc
    mode: Mode = Mode.auto
    save_best_only: bool = True
    every: Count = 1
    keep: CountOrZero = 1
    filename: str = "best.npz"


@dataclass(frozen=True, kw_only=True)
class TrainerSettings(Component):
    """How long and in which steps to train."""

    epochs: CountOrZero = 20
    batch_size: Count = 32
    eval_every: Count = 1
    threads: Count | None = None
    ema: Fraction = 0.0
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)


@dataclass(frozen=True, kw_only=True)
class TrackingSettings(Component):
    """Where metrics and artifacts go. Without a `uri`, to `mlruns/mlflow.db` of this folder."""

    backend: Backend = Backend.mlflow
    uri: str | None = None
    experiment: str = "digits"
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunConfig(Component):
    """Everything that decides a run: what `experiment.run` gets."""

    seed: CountOrZero = 42
    run_name: str | None = None
    data: DataSource
    model: Model
    optimizer: Optimizer
    schedule: Schedule
    regularization: Regularizer
    augmentation: Augmentation
    trainer: TrainerSettings
    tracking: TrackingSettings
