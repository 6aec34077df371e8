"""What a run tells a person: the announcement, the files, the figures, the summary."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from digit_exp.analysis.predictions import Predictions
from digit_exp.arrays import Array, Labels
from digit_exp.atomic import write_text
from digit_exp.config.convert import text
from digit_exp.config.schema import RunConfig, Watch
from digit_exp.config.serialize import as_yaml, differences, flatten, resolved
from digit_exp.data.batches import batches
from digit_exp.data.splits import class_counts
from digit_exp.optim.schedules import Clock
from digit_exp.rng import Rng
from digit_exp.runs.failures import Losses
from digit_exp.runs.folder import CONFIG, from_here
from digit_exp.training.callbacks import Best, StopOnNonFinite
from digit_exp.training.state import TrainState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from digit_exp.runs.experiment import Experiment, Result

log = logging.getLogger(__name__)

REASONS = {
    None: "after the last epoch",
    "early_stopping": "early: no improvement any more",
    "interrupted": "by a signal; python -m digit_exp resume=latest goes on from here",
    "pruned": "early: other runs of the sweep were better at this epoch",
    "diverged": "because the loss is no longer a finite number",
}

FINITE = Path("checkpoints") / "last_finite.npz"
"""The network of a run that has diverged, as it was shortly before."""

WORTH_TWO_THREADS = 7_000_000
"""Multiply-adds of a forward pass from which a second thread was measured to pay."""


def announce(experiment: Experiment) -> None:
    """Say what is about to happen, before the first step."""
    config, data = experiment.config, experiment.dataset
    height, width = data.image_shape
    sizes = f"{len(experiment.train):,} training, {len(experiment.val):,} validation and"
    log.info("data: %s, %s %s test images", data.name, sizes, f"{len(data.test):,}")
    log.info("      of %d × %d pixels in %d classes", height, width, data.classes)
    for remark in data.remarks:
        log.warning("      %s", remark)
    log.info("\n%s\n", experiment.network.summary())
    changed = differences(config)
    for key, (default, value) in changed.items():
        log.info("changed: %s = %s (default %s)", key, text(value), text(default))
    if not changed:
        log.info("configuration: the defaults")
    log.info(
        "seed %d, %d thread(s), files in %s",
        config.seed,
        config.trainer.threads,
        from_here(experiment.folder),
    )
    if config.trainer.threads == 1 and multiply_adds(experiment) >= WORTH_TWO_THREADS:
        log.info(
            "trainer.threads=2 would make an epoch a tenth to two fifths shorter on two idle cores"
        )
    if experiment.start is not None:
        log.info("resuming after epoch %d", experiment.start.epoch)


def multiply_adds(experiment: Experiment) -> int:
    """Return how many multiply-adds the products of a forward pass over one batch have."""
    return experiment.config.trainer.batch_size * len(experiment.network.parameters.weights)


def conclude(experiment: Experiment, result: Result, state: TrainState) -> None:
    """Say how it ended."""
    log.info("\nstopped %s", REASONS[state.stop_reason])
    if state.stop_reason == "diverged":
        log.info("%s", divergence(experiment, state))
    for sentence in experiment.losses.sentences():
        log.error("  could not be written: %s", sentence)
    for name, value in result.summary.items():
        log.info("  %-17s %s", name, f"{value:g}" if name.endswith("epoch") else f"{value:.4f}")


def divergence(experiment: Experiment, state: TrainState) -> str:
    """Say where a run has diverged, and what to try."""
    config = experiment.config
    memory = state.callback_memory[StopOnNonFinite.__name__]
    steps = math.ceil(len(experiment.train) / config.trainer.batch_size)
    clock = Clock(memory["step"] - 1, steps, config.trainer.epochs)
    rate = config.optimizer.lr * config.schedule.factor(clock, state.schedule_memory)
    clipped = config.optimizer.clip_norm
    return (
        f"  at step {memory['step']}, in epoch {clock.epoch + 1}, the loss was {memory['loss']};"
        f" the learning rate was {rate:.3g}\n"
        f"  the finite weights after step {memory['kept']} are kept in"
        f" {experiment.folder / FINITE}\n"
        f"  try optimizer.lr={config.optimizer.lr / 10:.3g}, or limit the gradient:"
        f" optimizer.clip_norm={1.0 if clipped is None else clipped / 10:.3g}"
    )


def run_name(config: RunConfig, keys: Sequence[str] = ()) -> str:
    """Return a name that says what is special about a run: `lr=0.01 hidden=[256,128]`.

    That is the value of each of `keys`, or if there are none, what differs from the defaults.
    """
    if config.run_name is not None:
        return config.run_name
    values = flatten(config)
    named = keys or [key for key in differences(config) if not key.startswith("tracking")]
    words = [f"{key.rpartition('.')[2]}={_brief(values[key])}" for key in named if key in values]
    return shorten(" ".join(words) or "defaults", width=80, placeholder=" …")


def _brief(value: object) -> str:
    """Write a value as one would type it; a search makes numbers with seventeen digits."""
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def note(experiment: Experiment, result: Result, state: TrainState) -> str:
    """Return the outcome in Markdown, for the run's page."""
    data = experiment.dataset
    numbers = [f"| {name} | {value:.4g} |" for name, value in result.summary.items()]
    changed = [
        f"`{key}={text(value)}`" for key, (_, value) in differences(experiment.config).items()
    ]
    return "\n".join(
        [
            f"{data.name}, {len(experiment.network.parameters):,} parameters,"
            f" seed {experiment.config.seed}; stopped {REASONS[state.stop_reason]}.",
            f"Changed from the defaults: {', '.join(changed) or 'nothing'}.",
            "",
            "| | |",
            "|---|---|",
            *numbers,
        ]
    )


def write_config(config: RunConfig, folder: Path) -> Path:
    """Write the resolved configuration, every default spelled out."""
    path = folder / CONFIG
    return write_text(path, as_yaml(resolved(config)))


def draw(
    experiment: Experiment, state: TrainState, predictions: Predictions | None, losses: Losses
) -> None:
    """Draw the figures of a run into its folder."""
    with losses.tolerated("figures", Exception):
        from digit_exp.plots.canvas import draw as draw_file

        for name, make in _figures(experiment, state, predictions):
            path = experiment.folder / "figures" / f"{name}.png"
            with losses.tolerated(str(path), Exception):
                draw_file(make, path)


def _figures(
    experiment: Experiment, state: TrainState, predictions: Predictions | None
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    from digit_exp.plots import curves, data, weights
    from digit_exp.plots import predictions as confusions

    history, shape = state.history, experiment.dataset.image_shape
    best = best_epoch(experiment.config, history)
    marked = int(best["best_epoch"]) if best else None
    yield "learning_curves", lambda: curves.learning_curves(history, marked)
    yield "learning_rate", lambda: curves.learning_rate(history)
    yield "gradient_norms", lambda: curves.gradient_norms(history)
    yield "layer_statistics", lambda: curves.layer_statistics(history)

    parameters = experiment.network.parameters
    layers = {
        name.removesuffix(".weight"): parameters.value(name) for name in parameters.weight_names
    }
    yield "weight_histograms", lambda: weights.weight_histograms(layers)
    first = next(iter(layers.values()))
    yield "first_layer_weights", lambda: weights.first_layer_weights(first, shape)

    yield "class_distribution", lambda: data.class_distribution(_counts(experiment))
    yield "augmentation", lambda: data.augmentation_examples(*_augmented(experiment))

    if predictions is not None:
        labels, probabilities = predictions.labels, predictions.probabilities
        read, classes = predictions.read, experiment.dataset.classes
        yield "confusion_matrix", lambda: confusions.confusion_matrix(labels, read, classes)
        test = experiment.dataset.test
        images = test.images[test.rows]
        yield "misread_digits", lambda: confusions.misread_digits(images, labels, probabilities)


def _counts(experiment: Experiment) -> dict[str, Labels]:
    splits = {"train": experiment.train, "val": experiment.val, "test": experiment.dataset.test}
    return {name: class_counts(split, experiment.dataset.classes) for name, split in splits.items()}


def _augmented(experiment: Experiment, images: int = 10, variants: int = 4) -> tuple[Array, Array]:
    """Return some training images and what the augmentation makes of them."""
    some = experiment.train.select(np.arange(min(images, len(experiment.train))))
    before = next(iter(batches(some, images)))[0].copy()
    rng = Rng(experiment.config.seed)("figure")
    change = experiment.config.augmentation
    return before, np.stack([change(before.copy(), rng) for _ in range(variants)])


def monitored(config: RunConfig) -> Watch:
    """Return which metric a run is judged by: early stopping's, else that of its checkpoints."""
    settings = config.trainer
    return settings.early_stopping if settings.early_stopping.enabled else settings.checkpoint


def best_epoch(config: RunConfig, history: list[dict[str, float]]) -> dict[str, float]:
    """Return which epoch's monitored metric was best, and that epoch's validation metrics."""
    watch = monitored(config)
    best = Best(watch.monitor.value, watch.mode.value)
    found: dict[str, float] | None = None
    for metrics in history:
        value = metrics.get(best.monitor, math.nan)
        if best.improves(value, None if found is None else found[best.monitor]):
            found = metrics
    if found is None:
        return {}
    values = {f"best_{name}": found[name] for name in ("val_acc", "val_loss") if name in found}
    return {"best_epoch": found["epoch"], **values}
