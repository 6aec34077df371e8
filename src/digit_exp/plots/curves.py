"""Figures by epoch: loss, accuracy, learning rate and the norms of the layers.

A history is one mapping of metrics for each epoch. Any metric may be missing in any epoch: a line
goes through the epochs that have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digit_exp.arrays import Array, Metrics
from digit_exp.plots.parts.canvas import (
    BLUE,
    HEADER,
    INK,
    MUTED,
    PERCENT,
    SPLIT_COLORS,
    SPLIT_NAMES,
    STEPS,
    end_at_one,
    message,
    number_axis,
    panels,
    percent,
    sheet,
    style_axes,
)

History = Sequence[Metrics]

MOST_MARKERS = 40
"""Longer lines have no markers: they would run into each other."""

LINE = 0.19
"""Inches from one line of a legend to the next."""

NOTHING = "There is nothing to draw: no epoch was measured."


def learning_curves(history: History, best_epoch: int | None) -> Figure:
    """Draw loss and accuracy of the training and validation sets, with the best epoch marked."""
    if not history:
        return message("Learning curves", NOTHING)
    figure = sheet(4.4, "Learning curves", _best_in_words(history, best_epoch))
    loss, accuracy = panels(figure, 2, 2)
    for axes, metric in ((loss, "loss"), (accuracy, "acc")):
        for split in ("train", "val"):
            _line(axes, history, f"{split}_{metric}", SPLIT_NAMES[split], SPLIT_COLORS[split])
        _mark_epoch(axes, history, best_epoch, metric)
        _mark_not_finite(axes, history, (f"train_{metric}", f"val_{metric}"))
        _epoch_axis(axes, history)
    style_axes(loss, "Loss", "epoch", "cross-entropy loss (nats)")
    style_axes(accuracy, "Accuracy", "epoch", "accuracy")
    losses = np.concatenate([_series(history, f"{s}_loss")[1] for s in ("train", "val")])
    number_axis(loss, losses, 1)
    accuracy.yaxis.set_major_formatter(PERCENT)
    end_at_one(accuracy)
    header = (1, 1 - 0.3 / figure.get_figheight())  # where no data are
    above = figure.legend(*loss.get_legend_handles_labels(), loc="center right", ncols=4)
    above.set_bbox_to_anchor(header)
    above.set_in_layout(False)
    return figure


def learning_rate(history: History) -> Figure:
    """Draw the learning rate of every epoch."""
    epochs, rates = _series(history, "learning_rate")
    if not len(epochs):
        return message("Learning rate", NOTHING)
    note = f"first {rates[0]:.3g}, highest {rates.max():.3g}, last {rates[-1]:.3g}"
    figure = sheet(3.6, "Learning rate", note)
    (axes,) = panels(figure, 1, 1)
    _line(axes, history, "learning_rate", "learning rate", BLUE)
    _epoch_axis(axes, history)
    style_axes(axes, "", "epoch", "learning rate")
    number_axis(axes, rates)
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    return figure


def gradient_norms(history: History) -> Figure:
    """Draw the norm of the loss gradient, layer by layer and for all parameters together."""
    layers = _layers(history, "gradient_norms")
    if not layers and not len(_series(history, "gradient_norm")[0]):
        return message("Gradient norms", NOTHING)
    note = "before clipping, mean of the steps of each epoch"
    figure = sheet(_height_beside(len(layers) + 1), "Gradient norms", note)
    (axes,) = panels(figure, 1, 1)
    _layer_lines(axes, history, "gradient_norms", "", "gradient norm ‖∂loss/∂w‖₂")
    _line(axes, history, "gradient_norm", "all parameters", INK, "--")
    _legend_beside(figure, axes)
    return figure


def layer_statistics(history: History) -> Figure:
    """Draw the norm of every layer's weights and how much an update changes them."""
    if not _layers(history, "weight_norms") and not _layers(history, "update_ratios"):
        return message("Layer statistics", NOTHING)
    lines = len(_layers(history, "weight_norms"))
    note = "after each epoch; the update is that of its last step"
    figure = sheet(_height_beside(lines), "Layer statistics", note)
    norms, ratios = panels(figure, 2, 2)
    _layer_lines(norms, history, "weight_norms", "Weight norm", "‖w‖₂")
    _layer_lines(ratios, history, "update_ratios", "Update ratio", "‖Δw‖₂ / ‖w‖₂")
    _legend_beside(figure, ratios)
    return figure


def _series(history: History, key: str) -> tuple[Array, Array]:
    """Return the epochs that have the metric `key`, and its values."""
    present = [row for row in history if key in row]
    epochs = np.array([row["epoch"] for row in present], float)
    return epochs, np.array([row[key] for row in present], float)


def _line(axes: Axes, history: History, key: str, label: str, color: str, style: str = "-") -> None:
    """Draw one metric through the epochs that have it, with gaps where it is not finite."""
    epochs, values = _series(history, key)
    if len(epochs):
        values[~np.isfinite(values)] = np.nan
        marker = "o" if len(epochs) <= MOST_MARKERS else None
        axes.plot(epochs, values, style, color=color, marker=marker, markersize=3.5, label=label)


def _mark_not_finite(axes: Axes, history: History, keys: Sequence[str]) -> None:
    """Draw a cross at the upper edge for every epoch in which one of `keys` is not finite."""
    epochs = [row["epoch"] for row in history if not all(np.isfinite(row.get(k, 0)) for k in keys)]
    if epochs:
        edge, top = axes.get_xaxis_transform(), [0.97] * len(epochs)
        axes.plot(epochs, top, "x", color=INK, label="not finite", transform=edge)


def _mark_epoch(axes: Axes, history: History, epoch: int | None, metric: str) -> None:
    """Draw an upright line at `epoch` and a ring around the value that was best."""
    if epoch is None:
        return
    axes.axvline(epoch, color=MUTED, linestyle=(0, (2, 2)), linewidth=1, zorder=1)
    for split in ("val", "train"):
        epochs, values = _series(history, f"{split}_{metric}")
        if (found := values[epochs == epoch]).size:
            (ring,) = axes.plot(epoch, found[0], "o", markersize=9, label="best epoch")
            ring.set(markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.4)
            return


def _best_in_words(history: History, best_epoch: int | None) -> str:
    row = next((row for row in history if row["epoch"] == best_epoch), None)
    if row is None:
        return ""
    split = "val" if "val_loss" in row or "val_acc" in row else "train"
    name, loss, accuracy = SPLIT_NAMES[split], row.get(f"{split}_loss"), row.get(f"{split}_acc")
    parts = [] if loss is None else [f"{name} loss {loss:.4f}"]
    parts += [] if accuracy is None else [f"{name} accuracy {percent(accuracy, 2)}"]
    return f"best epoch {best_epoch}: {', '.join(parts)}"


def _layers(history: History, family: str) -> list[str]:
    """Return the layers that the metrics of a family speak of, from the input to the output."""
    keys = dict.fromkeys(key for row in history for key in row)
    return [key.removeprefix(f"{family}/") for key in keys if key.startswith(f"{family}/")]


def _layer_lines(axes: Axes, history: History, family: str, title: str, unit: str) -> None:
    """Draw one line a layer, dark near the input and light near the output."""
    layers = _layers(history, family)
    keys = [f"{family}/{layer}" for layer in layers]
    colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.78, len(layers)))
    for layer, key, color in zip(layers, keys, colors, strict=True):
        _line(axes, history, key, layer, to_hex(color))
    _mark_not_finite(axes, history, keys)
    _epoch_axis(axes, history)
    style_axes(axes, title, "epoch", unit)
    number_axis(axes, [row[key] for row in history for key in keys if key in row])


def _epoch_axis(axes: Axes, history: History) -> None:
    first, last = history[0]["epoch"], history[-1]["epoch"]
    axes.set_xlim(first - 0.5, last + max(0.5, 0.02 * (last - first)))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=STEPS, min_n_ticks=1))


def _height_beside(lines: int) -> float:
    """Return the inches that a figure needs for a legend of `lines` beside its axes."""
    return max(4.2, HEADER + 0.3 + LINE * lines)


def _legend_beside(figure: Figure, axes: Axes) -> None:
    """Put the legend of `axes` to the right of all axes."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
