"""What a run needs before training starts: configuration, data, splits and network.

`Experiment.prepare` fails here for everything that the user can get wrong, before a run is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from digit_exp.config.schema import RunConfig
from digit_exp.data.dataset import Dataset, Split
from digit_exp.data.deformations import deformations
from digit_exp.data.idx import DataError
from digit_exp.data.sources import DataSource, Normalize
from digit_exp.data.splits import pixel_statistics, subset, train_val_split
from digit_exp.nn.learner import Learner
from digit_exp.nn.models import Model, PixelStatistics
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.rng import Rng
from digit_exp.runs.failures import WriteFailures, require_free_space
from digit_exp.runs.folder import class_tag
from digit_exp.runs.initial_weights import InitialWeights, origin_tags
from digit_exp.tracking.base import Status
from digit_exp.tracking.provenance import own_code, provenance
from digit_exp.tracking.tags import Tag
from digit_exp.training.callbacks import Callback
from digit_exp.training.checkpoint import Checkpoint
from digit_exp.training.learner_trainer import LearnerTrainer
from digit_exp.training.state import TrainState
from digit_exp.training.trainer import Trainer

EPOCHS = "epochs"
"""The key in a checkpoint of how many epochs its run has."""


@dataclass(frozen=True)
class Result:
    """The outcome of a run."""

    status: Status
    summary: dict[str, float] = field(default_factory=dict)
    """best_val_acc, best_epoch, test_acc, test_loss and others, if they were measured."""
    stop_reason: str | None = None
    """Why training ended before the last epoch, or None."""
    not_written: list[str] = field(default_factory=list)
    """Files that could not be written, each with the reason."""

    @property
    def is_failure(self) -> bool:
        """Whether training failed in a way that resuming cannot fix."""
        return self.status is Status.FAILED


@dataclass(frozen=True)
class PruningContext:
    """What the pruner of a run in a sweep needs to know about the other runs."""

    number: int
    """The number of this run, unique in the sweep."""
    histories: Callable[[], Mapping[int, Mapping[int, float]]]
    """Returns the monitored metric of the other runs by number and epoch."""
    deadline: float | None = None
    """When the sweep's time is over, in seconds since 1970."""


@dataclass(frozen=True)
class Experiment:
    """A run that is ready to start."""

    config: RunConfig
    folder: Path
    dataset: Dataset
    train: Split
    val: Split
    network: Network | Learner
    start: TrainState | None
    """The state that a resumed run continues from."""
    epochs: int
    """How many are trained: `trainer.epochs`, or as many as fit into `trainer.fit_minutes`."""
    last_epoch: int | None = None
    """Where to stop, if a run is trained again that stopped there."""
    write_failures: WriteFailures = field(default_factory=WriteFailures)
    initial: InitialWeights | None = None
    """The weights that the run begins with, if it draws none and is not resumed."""

    @classmethod
    def prepare(
        cls,
        config: RunConfig,
        folder: Path,
        checkpoint: Checkpoint | None = None,
        initial: InitialWeights | None = None,
    ) -> Experiment:
        """Load and split the data and build the network, or take it from `checkpoint`.

        `initial` are the weights that `config.start_from` names.

        Raises ConfigError or DataError if they cannot be had.
        """
        dataset = load_data(config.data)
        train, val = train_val_splits(config, dataset)
        if checkpoint is None:
            assert (initial is None) == (config.start_from is None)
            network = build_network(config, dataset, train)
            if initial is not None:
                initial.copy_into(network)
            require_free_space(folder, network)
            epochs = config.trainer.epochs
            return cls(config, folder, dataset, train, val, network, None, epochs, initial=initial)
        if checkpoint.config["data_digest"] != dataset.digest:
            message = f"the data set {dataset.name} has changed since the run started"
            raise ConfigError.at("resume", message)
        network, epochs = checkpoint.state.network, epochs_of(checkpoint, config)
        if isinstance(network, Learner):
            saved, network = network, build_network(config, dataset, train)
            network.restore(saved.storage)
            checkpoint.state.network = network
        return cls(config, folder, dataset, train, val, network, checkpoint.state, epochs)

    @property
    def provenance(self) -> dict[str, str]:
        """The tags that say how to reproduce the run."""
        return {
            **provenance(self.config.seed),
            **own_code(self.config.classes),
            Tag.DATA: self.dataset.name,
            Tag.DATA_DIGEST: self.dataset.digest,
            **class_tag(self.dataset.named),
            "threads": f"{self.config.trainer.threads}",
            **origin_tags(self.config.start_from),
        }

    def trainer(self, callbacks: Sequence[Callback]) -> Trainer | LearnerTrainer:
        """Return the trainer of this run."""
        config, settings = self.config, self.config.trainer
        shared: dict[str, Any] = {
            "augmentation": config.augmentation,
            "epochs": self.epochs,
            "batch_size": settings.batch_size,
            "eval_every": settings.eval_every,
            "seed": config.seed,
            "threads": settings.threads,
            "callbacks": callbacks,
        }
        if isinstance(self.network, Learner):
            return LearnerTrainer(self.network, **shared)
        return Trainer(
            self.network,
            config.optimizer,
            schedule=config.schedule,
            regularizer=config.regularization,
            ema=settings.ema,
            ema_share=settings.ema_share,
            **shared,
        )


def epochs_of(checkpoint: Checkpoint, config: RunConfig) -> int:
    """Return how many epochs the run of a checkpoint has, those that fitted into its time."""
    settings = config.trainer
    fitted: int = checkpoint.config.get(EPOCHS, settings.epochs)
    return settings.epochs if settings.fit_minutes is None else fitted


@lru_cache(maxsize=1)
def load_data(source: DataSource) -> Dataset:
    """Return the data set of `source`, cached for the jobs of a sweep.

    Raises DataError for a file that cannot be read, too.
    """
    try:
        return source.load()
    except OSError as error:
        if error.filename is None:
            raise
        raise DataError(f"the data cannot be read: {error.filename}: {error.strerror}") from error


def split_seed(config: RunConfig) -> int:
    """Return the seed by which validation images are chosen."""
    return config.seed if config.data.split_seed is None else config.data.split_seed


def train_val_splits(config: RunConfig, dataset: Dataset) -> tuple[Split, Split]:
    """Return the training and the validation split of a run."""
    rng, data = Rng(split_seed(config))("split"), config.data
    train, val = train_val_split(
        dataset.train, val_ratio=data.val_ratio, rng=rng, stratified=data.stratified
    )
    if data.val_ratio and not len(val):
        message = f"leaves no image for validation: {data.val_ratio} of {len(dataset.train)}"
        raise ConfigError.at("data.val_ratio", f"{message}. Use a larger share, or 0")
    if data.train_size is not None:
        train = subset(train, data.train_size, rng, data.stratified)
    return train, val


def build_network(config: RunConfig, dataset: Dataset, train: Split) -> Network | Learner:
    """Return the network of a run, or its learner, with its initial weights."""
    standardize = None
    if config.data.normalize is Normalize.standardize:
        mean, std = pixel_statistics(train)
        standardize = PixelStatistics(mean=mean, std=std)
    network = config.model.build(
        dataset.image_shape,
        dataset.classes,
        seed=config.seed,
        dropout=config.regularization.dropout,
        standardize=standardize,
    )
    count = config.model.copies if isinstance(config.model, Model) else 0
    if isinstance(network, Learner) or not count:
        return network
    shape, rng = dataset.image_shape, Rng(config.seed)
    return network.with_copies(deformations(config.augmentation, shape, count, rng))
