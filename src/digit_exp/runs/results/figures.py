"""The figures of a run, written to `figures/` in its folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from digit_exp.analysis.predictions import Predictions
from digit_exp.arrays import Array, Labels
from digit_exp.data.augmentations import Unchanged
from digit_exp.data.batches import batches
from digit_exp.data.splits import class_counts
from digit_exp.nn.convolution import AvgPool2D, Conv2D, GlobalAvgPool2D, MaxPool2D
from digit_exp.nn.layers import Dense
from digit_exp.nn.network import Network
from digit_exp.rng import Rng
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.results.calibration import tempered
from digit_exp.runs.results.summary import best_epoch
from digit_exp.training.state import TrainState

if TYPE_CHECKING:
    from digit_exp.plots.parts.canvas import Figure


def draw(
    experiment: Experiment,
    state: TrainState,
    predictions: Predictions | None,
    temperature: float | None = None,
) -> None:
    """Draw the figures of a run into its folder; confidences are those at `temperature`, if any."""
    failures = experiment.write_failures
    with failures.collect("figures", Exception):
        from digit_exp.plots.parts.canvas import draw as draw_file

        for name, make in _figures(experiment, state, predictions, temperature):
            path = experiment.folder / "figures" / f"{name}.png"
            with failures.collect(str(path), Exception):
                draw_file(make, path)


def _figures(
    experiment: Experiment,
    state: TrainState,
    predictions: Predictions | None,
    temperature: float | None,
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    from digit_exp.plots import calibration, curves, data
    from digit_exp.plots import predictions as errors

    history = state.history
    best = best_epoch(experiment.config, history)
    marked = int(best["best_epoch"]) if best else None
    yield "learning_curves", lambda: curves.learning_curves(history, marked)
    if isinstance(experiment.network, Network):
        yield from _of_network(experiment.network, experiment, history)

    names = experiment.dataset.class_names
    yield "class_distribution", lambda: data.class_distribution(_counts(experiment), names)
    if not isinstance(experiment.config.augmentation, Unchanged):
        yield "augmentation", lambda: data.augmentation_examples(*_augmented(experiment))

    if predictions is not None:
        labels, predicted = predictions.labels, predictions.predicted
        calibrated = tempered(predictions.logits, temperature or 1.0)  # as `predict` does
        test = experiment.dataset.test
        images = test.images[test.rows]
        yield "confusion_matrix", lambda: errors.confusion_matrix(labels, predicted, names)
        yield "misread_digits", lambda: errors.misread_digits(images, labels, calibrated, names)
        yield "reliability", lambda: calibration.reliability(labels, calibrated, temperature)


def _of_network(
    network: Network, experiment: Experiment, history: list[dict[str, float]]
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield the figures of what only networks have: rates, norms and weights of layers."""
    from digit_exp.plots import curves, weights

    yield "learning_rate", lambda: curves.learning_rate(history)
    yield "gradient_norms", lambda: curves.gradient_norms(history)
    yield "layer_statistics", lambda: curves.layer_statistics(history)

    parameters = network.parameters
    layers = {
        name.removesuffix(".weight"): parameters.value(name) for name in parameters.weight_names
    }
    yield "weight_histograms", lambda: weights.weight_histograms(layers)
    first, shape = next(iter(layers.values())), experiment.dataset.image_shape
    side = math.isqrt(len(first))
    seen = shape if len(first) == math.prod(shape) else (side, side)  # of an image, or a filter
    yield "first_layer_weights", lambda: weights.first_layer_weights(first, seen)
    if any(isinstance(layer, Conv2D) for layer in network.layers):
        yield "feature_maps", lambda: weights.feature_maps(*_maps(network, experiment))


def _counts(experiment: Experiment) -> dict[str, Labels]:
    splits = {"train": experiment.train, "val": experiment.val, "test": experiment.dataset.test}
    return {name: class_counts(split, experiment.dataset.classes) for name, split in splits.items()}


def _maps(network: Network, experiment: Experiment, images: int = 8) -> tuple[Array, Array]:
    """Return test images of several classes, and what the first convolution makes of them."""
    test, layers = experiment.dataset.test, network.layers
    _, positions = np.unique(test.labels, return_index=True)
    some = test.select(np.sort(positions)[:images])
    x = pixels = next(iter(batches(some, images)))[0].copy()
    x = x.reshape(len(x), -1)
    begun = [isinstance(layer, Conv2D) for layer in layers].index(True) + 1
    ends = (Conv2D, MaxPool2D, AvgPool2D, GlobalAvgPool2D, Dense)
    last = next(i for i in range(begun, len(layers)) if isinstance(layers[i], ends))
    for layer in layers[:last]:
        x = layer.forward(x)
    height, width, filters = network.shapes[last - 1]
    return pixels, x.reshape(-1, height, width, filters)


def _augmented(experiment: Experiment, images: int = 10, variants: int = 4) -> tuple[Array, Array]:
    some = experiment.train.select(np.arange(min(images, len(experiment.train))))
    before = next(iter(batches(some, images)))[0].copy()
    rng = Rng(experiment.config.seed)("figure")
    change = experiment.config.augmentation
    return before, np.stack([change(before.copy(), rng) for _ in range(variants)])
