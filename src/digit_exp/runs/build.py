"""Data, splits and network of a run, built from its configuration."""

from __future__ import annotations

from functools import lru_cache

from digit_exp.config.schema import RunConfig
from digit_exp.data.dataset import Dataset, Split
from digit_exp.data.sources import DataSource, Normalize
from digit_exp.data.splits import pixel_statistics, subset, train_val_split
from digit_exp.nn.models import PixelStatistics
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError, Problem
from digit_exp.rng import Rng


@lru_cache(maxsize=1)
def load_data(source: DataSource) -> Dataset:
    """Return the data set of `source`, cached for the jobs of a sweep."""
    return source.load()


def train_val_splits(config: RunConfig, dataset: Dataset) -> tuple[Split, Split]:
    """Return the training and the validation split of a run."""
    rng, data = Rng(config.seed)("split"), config.data
    train, val = train_val_split(
        dataset.train, val_ratio=data.val_ratio, rng=rng, stratified=data.stratified
    )
    if data.val_ratio and not len(val):
        message = f"leaves no image for validation: {data.val_ratio} of {len(dataset.train)}"
        raise ConfigError(Problem("data.val_ratio", f"{message}. Use a larger share, or 0"))
    if data.train_size is not None:
        train = subset(train, data.train_size, rng, data.stratified)
    return train, val


def build_network(config: RunConfig, dataset: Dataset, train: Split) -> Network:
    """Return the network of a run with its initial weights."""
    standardize = None
    if config.data.normalize is Normalize.standardize:
        mean, std = pixel_statistics(train)
        standardize = PixelStatistics(mean=mean, std=std)
    return config.model.build(
        dataset.image_shape,
        dataset.classes,
        seed=config.seed,
        dropout=config.regularization.dropout,
        standardize=standardize,
    )
