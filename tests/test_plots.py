"""What is drawn, read back from the figures: lines, numbers, pictures and sentences."""

import math
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from digit_exp.plots.calibration import reliability
from digit_exp.plots.curves import (
    gradient_norms,
    layer_statistics,
    learning_curves,
    learning_rate,
)
from digit_exp.plots.data import augmentation_examples, class_distribution
from digit_exp.plots.parts.canvas import DPI, draw, save
from digit_exp.plots.parts.mosaic import mosaic
from digit_exp.plots.predictions import confusion_matrix, misread_digits
from digit_exp.plots.weights import first_layer_weights, weight_histograms

LAYERS = ["dense_1", "dense_2"]
DIGITS = [str(number) for number in range(47)]


def history_of(epochs, *, eval_every=1):
    rows = []
    for epoch in range(1, epochs + 1):
        row = {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "train_acc": 1 - 0.5 / epoch,
            "learning_rate": 0.001 * 0.9**epoch,
            "gradient_norm": 2 / epoch,
        }
        for i, layer in enumerate(LAYERS):
            row[f"gradient_norms/{layer}"] = (1 + i) / epoch
            row[f"weight_norms/{layer}"] = 10.0 + i + epoch
            row[f"update_ratios/{layer}"] = 0.001 * (1 + i)
        if epoch % eval_every == 0:
            row |= {"val_loss": 1.1 / epoch, "val_acc": 0.9 - 0.5 / epoch}
        rows.append(row)
    return rows


def texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def data_of(line):
    return list(line.get_xdata()), list(line.get_ydata())


def tile(large, index, columns, cell, shape):
    row, column = divmod(index, columns)
    top, left = row * cell[0], column * cell[1]
    return large[top : top + shape[0], left : left + shape[1]]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def picture(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


# Curves


def test_learning_curves_draw_the_history_of_both_sets():
    history = history_of(5)
    loss, accuracy = learning_curves(history, best_epoch=4).axes
    for axes, metric in ((loss, "loss"), (accuracy, "acc")):
        for label, split in (("training", "train"), ("validation", "val")):
            expected = [row[f"{split}_{metric}"] for row in history]
            assert data_of(lines(axes)[label]) == ([1, 2, 3, 4, 5], expected)


def test_the_ring_stands_on_the_validation_values_of_the_best_epoch():
    history = history_of(5)
    figure = learning_curves(history, best_epoch=4)
    for axes, metric in zip(figure.axes, ("val_loss", "val_acc"), strict=True):
        assert data_of(lines(axes)["best epoch"]) == ([4], [history[3][metric]])
    assert "best epoch 4: validation loss 0.2750, validation accuracy 77.50 %" in texts(figure)


def test_without_validation_the_ring_stands_on_the_training_values():
    history = history_of(4, eval_every=100)
    figure = learning_curves(history, best_epoch=3)
    assert "validation" not in lines(figure.axes[0])
    assert data_of(lines(figure.axes[0])["best epoch"]) == ([3], [1 / 3])
    assert "best epoch 3: training loss 0.3333, training accuracy 83.33 %" in texts(figure)


def test_validation_every_third_epoch_is_drawn_at_its_epochs():
    figure = learning_curves(history_of(7, eval_every=3), best_epoch=6)
    assert data_of(lines(figure.axes[0])["validation"]) == ([3, 6], [1.1 / 3, 1.1 / 6])


def test_a_single_epoch_shows_as_markers():
    for line in learning_curves(history_of(1), best_epoch=1).axes[0].lines[:2]:
        assert line.get_marker() == "o"


def test_epochs_are_whole_numbers_from_the_first_on():
    for epochs in (1, 2, 3, 200):
        axes = learning_curves(history_of(epochs), best_epoch=1).axes[0]
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


def test_a_loss_that_is_not_finite_is_marked_and_the_rest_is_drawn():
    history = history_of(4)
    history[2]["train_loss"] = math.inf
    history[3]["train_loss"] = math.nan
    figure = learning_curves(history, best_epoch=2)
    loss = lines(figure.axes[0])
    np.testing.assert_array_equal(loss["training"].get_ydata(), [1, 0.5, np.nan, np.nan])
    assert list(loss["not finite"].get_xdata()) == [3, 4]
    figure.canvas.draw()


def test_a_loss_has_a_logarithmic_axis():
    narrow, wide = history_of(4), history_of(4)
    wide[3]["train_loss"] = 1e30
    for history in (narrow, wide):
        axes = learning_curves(history, 1).axes[0]
        assert axes.get_yscale() == "log"
        assert axes.get_ylabel().endswith("log scale")


def test_a_learning_rate_of_zero_is_drawn():
    history = history_of(3)
    history[2]["learning_rate"] = 0.0
    figure = learning_rate(history)
    expected = [row["learning_rate"] for row in history]
    assert data_of(lines(figure.axes[0])["learning rate"]) == ([1, 2, 3], expected)
    assert figure.axes[0].get_ylim()[0] == 0
    assert "first 0.0009, highest 0.0009, last 0" in texts(figure)


def test_gradient_norms_draw_every_layer_and_the_whole():
    history = history_of(3)
    drawn = lines(gradient_norms(history).axes[0])
    assert list(drawn) == [*LAYERS, "all parameters"]
    assert list(drawn["dense_2"].get_ydata()) == [2, 1, 2 / 3]
    assert list(drawn["all parameters"].get_ydata()) == [2, 1, 2 / 3]
    assert len({line.get_color() for line in drawn.values()}) == 3


def test_layer_statistics_draw_norms_and_update_ratios():
    norms, ratios = layer_statistics(history_of(2)).axes
    assert list(lines(norms)["dense_1"].get_ydata()) == [11, 12]
    assert list(lines(ratios)["dense_2"].get_ydata()) == [0.002, 0.002]


@pytest.mark.parametrize(
    "draw",
    [lambda h: learning_curves(h, None), learning_rate, gradient_norms, layer_statistics],
)
def test_an_empty_history_gives_a_sentence(draw):
    figure = draw([])
    assert not figure.axes
    assert "There is nothing to draw: no epoch was measured." in texts(figure)


@pytest.mark.parametrize("epochs", [1, 200])
@pytest.mark.parametrize("draw", [learning_rate, gradient_norms, layer_statistics])
def test_short_and_long_histories_can_be_drawn(draw, epochs):
    figure = draw(history_of(epochs))
    figure.canvas.draw()
    assert len(figure.axes[0].lines[0].get_xdata()) == epochs


# Weights


def test_every_weight_is_counted_in_its_layers_histogram():
    rng = np.random.default_rng(0)
    weights = {f"dense_{i}": rng.normal(size=(20, i)).astype(np.float32) for i in range(1, 6)}
    figure = weight_histograms(weights)
    assert len(figure.axes) == 5
    for axes, (name, matrix) in zip(figure.axes, weights.items(), strict=True):
        counts, edges, _ = axes.patches[0].get_data()
        assert counts.sum() == matrix.size
        assert edges[0] == -edges[-1]
        assert axes.get_title(loc="left").startswith(name)


def test_weights_that_are_not_finite_are_counted_out():
    matrix = np.ones((4, 5), np.float32)
    matrix[0, :3] = [np.nan, np.inf, -np.inf]
    figure = weight_histograms({"some": matrix, "all": np.full((2, 2), np.nan, np.float32)})
    assert "weight (3 of 20 are not finite)" in texts(figure)
    assert figure.axes[0].patches[0].get_data().values.sum() == 17


def test_first_layer_tiles_are_the_columns_with_the_largest_weights():
    weights = np.random.default_rng(0).normal(size=(20 * 32, 12)).astype(np.float32)
    weights *= np.arange(1, 13, dtype=np.float32)
    large = picture(first_layer_weights(weights, (20, 32), count=6))
    columns = large.shape[1] // 33
    for index, unit in enumerate([11, 10, 9, 8, 7, 6]):
        shown = tile(large, index, columns, (21, 33), (20, 32))
        np.testing.assert_array_equal(shown, weights[:, unit].reshape(20, 32))


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_first_layer_colours_are_symmetric_about_zero(fill):
    for weights in (np.linspace(-1, 3, 64 * 5).reshape(64, 5), np.full((64, 5), fill)):
        figure = first_layer_weights(weights.astype(np.float32), (8, 8))
        low, high = figure.axes[0].images[0].get_clim()
        assert low == -high < 0
        figure.canvas.draw()


# Predictions


def test_the_confusion_matrix_counts_true_rows_and_predicted_columns():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    predictions = np.array([0, 0, 2, 1, 1, 2, 1, 1, 2, 2])
    axes = confusion_matrix(labels, predictions, DIGITS[:3]).axes[0]
    numbers = {text.get_position(): text.get_text() for text in axes.texts}
    assert numbers[0, 0] == "2"
    assert numbers[2, 0] == "1"  # column 2, row 0: one 0 was taken for a 2
    assert numbers[1, 2] == "2"
    assert (0, 2) not in numbers


def test_the_colour_of_an_error_is_its_share_of_the_row_and_the_diagonal_has_none():
    labels = np.array([0] * 1000 + [1] * 10)
    predictions = np.array([0] * 998 + [1] * 2 + [1] * 9 + [0])
    cells = confusion_matrix(labels, predictions, DIGITS[:2]).axes[0].collections[0]
    shares = np.ma.filled(cells.get_array(), np.nan)
    np.testing.assert_allclose(shares, [[np.nan, 0.002], [0.1, np.nan]])
    assert cells.get_clim() == (0, 0.1)


def test_the_confusion_matrix_says_accuracy_recall_and_the_most_frequent_errors():
    labels = np.array([0] * 2000 + [1] * 10)
    predictions = np.array([0] * 1997 + [1] * 3 + [1] * 9 + [0])
    said = texts(confusion_matrix(labels, predictions, DIGITS[:2]))
    assert "Confusion matrix, accuracy 99.80 %" in said
    assert "2,006 of 2,010 images right, 4 misclassified" in said
    assert "90.0 %" in said
    assert "true → predicted\n0 → 1\n1 → 0" in said


@pytest.mark.parametrize("classes", [2, 10, 16, 47])
def test_any_number_of_classes_can_be_drawn(classes):
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(classes, size=(2, 500))
    figure = confusion_matrix(labels, predictions, DIGITS[:classes])
    figure.canvas.draw()
    assert figure.axes[0].collections[0].get_array().shape == (classes, classes)


def test_a_class_without_images_has_no_recall():
    axes = confusion_matrix(np.array([0, 2]), np.array([0, 0]), DIGITS[:3]).axes[0]
    recalls = [text.get_text() for text in axes.texts if text.get_text().endswith("%")]
    assert recalls == ["100 %", "0.0 %"]


def test_a_matrix_without_errors_has_no_error_scale():
    labels = np.arange(3)
    figure = confusion_matrix(labels, labels, DIGITS[:4])  # one class has no images at all
    assert "Confusion matrix, accuracy 100 %" in texts(figure)
    assert len(figure.axes) == 1


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (20, 32)])
def test_misread_digits_are_the_wrong_ones_in_order_of_confidence(shape):
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    labels = np.array([0, 1, 2, 1])
    probabilities = np.array(
        [[0.4, 0.6, 0], [0.1, 0.9, 0], [0.997, 0, 0.003], [0.2, 0.1, 0.7]], np.float32
    )
    figure = misread_digits(images, labels, probabilities, DIGITS[:3], count=2)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["2 → 0", "99.7 %", "1 → 2", "70.0 %"]
    large = picture(figure)
    np.testing.assert_array_equal(large[: shape[0], : shape[1]], images[2])
    second = large[: shape[0], large.shape[1] // 5 :][:, : shape[1]]
    np.testing.assert_array_equal(second, images[3])


def test_no_misread_digit_gives_a_sentence():
    images = np.zeros((2, 8, 8), np.uint8)
    figure = misread_digits(images, np.array([0, 1]), np.eye(2, dtype=np.float32), DIGITS[:2])
    assert "All 2 images were classified correctly." in texts(figure)


def test_classes_are_called_by_their_names():
    names = ["t-shirt", "ankle boot"]
    labels, predictions = np.array([0, 0, 1]), np.array([0, 1, 1])
    figure = confusion_matrix(labels, predictions, names)
    assert "true → predicted\nt-shirt → ankle boot" in texts(figure)
    assert names == ticks(figure.axes[0].xaxis) == ticks(figure.axes[0].yaxis)
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], np.float32)
    figure = misread_digits(np.zeros((3, 8, 8), np.uint8), labels, probabilities, names)
    assert "t-shirt →\nankle boot" in texts(figure)
    assert ticks(class_distribution({"test": np.array([2, 1])}, names).axes[0].xaxis) == names


def test_the_reliability_diagram_draws_accuracy_at_the_confidence_of_each_bin():
    sure, unsure = np.tile([0.9, 0.1], (20, 1)), np.tile([0.6, 0.4], (5, 1))
    labels = np.array([0] * 15 + [1] * 5 + [0] * 2 + [1] * 3)
    figure = reliability(labels, np.concatenate([sure, unsure]), 1.25, bins=10)
    drawn = lines(figure.axes[0])
    assert data_of(drawn["bins of images"]) == ([pytest.approx(0.9)], [0.75])
    assert data_of(drawn["fewer than 10 images"]) == ([pytest.approx(0.6)], [0.4])
    counts = figure.axes[1].patches[0].get_data().values
    assert counts.tolist() == [0, 0, 0, 0, 0, 0, 5, 0, 0, 20]
    error = (20 * 0.15 + 5 * 0.2) / 25
    assert any(f"error {100 * error:.2f} %; temperature 1.25" in text for text in texts(figure))


# Data


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_variants_stand_below_their_originals(dtype):
    before = (np.random.default_rng(0).random((3, 8, 10)) * 255).astype(dtype)
    after = np.stack([before // 2, before // 4])
    figure = augmentation_examples(before, after)
    large = picture(figure)
    for image in range(3):
        for row, expected in enumerate([before, *after]):
            shown = tile(large, 3 * row + image, 3, (9, 11), (8, 10))
            np.testing.assert_array_equal(shown, expected[image])
    assert figure.axes[0].images[0].get_clim() == (0, 255 if dtype == np.uint8 else 1)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["original", "variant 1", "variant 2"]


def test_class_distribution_draws_counts_and_shares_by_split():
    counts = {"train": np.array([3000, 1000]), "val": np.array([0, 0]), "test": np.array([1, 3])}
    figure = class_distribution(counts, DIGITS[:2])
    for axes, numbers in zip(figure.axes, counts.values(), strict=True):
        assert [bar.get_height() for bar in axes.patches] == list(numbers)
    said = texts(figure)
    assert "training: 4,000 images" in said
    assert "3,000\n75.0 %" in said
    assert "1\n25.0 %" in said


def test_many_classes_are_summed_up_in_the_title():
    numbers = np.full(47, 10)
    numbers[0] = 40
    (axes,) = class_distribution({"train": numbers}, DIGITS).axes
    title = axes.get_title(loc="left")
    assert title == "training: 500 images, 2.0 % to 8.0 % of them in each class"
    assert not axes.texts


# Canvas and mosaic


def test_a_mosaic_leaves_nothing_but_nan_between_its_images():
    images = np.arange(3 * 2 * 2).reshape(3, 2, 2).astype(np.float32)
    nan = np.nan
    expected = [
        [0, 1, nan, 4, 5, nan],
        [2, 3, nan, 6, 7, nan],
        [nan] * 6,
        [8, 9, nan, nan, nan, nan],
        [10, 11, nan, nan, nan, nan],
        [nan] * 6,
    ]
    np.testing.assert_array_equal(mosaic(images, 2, (3, 3)), expected)


def test_save_writes_a_png_and_nothing_beside_it(tmp_path):
    path = tmp_path / "figures" / "curve.png"
    figure = learning_curves(history_of(2), best_epoch=1)
    assert save(figure, path) == path
    width, height = figure.get_size_inches() * DPI
    assert imread(path).shape[:2] == (round(height), round(width))
    assert [file.name for file in path.parent.iterdir()] == ["curve.png"]


def test_a_failing_save_keeps_the_old_file(tmp_path):
    class Broken(Figure):
        def savefig(self, path, **_):
            path.write_bytes(b"half of a figure")
            raise OSError("no space left")

    path = tmp_path / "curve.png"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="no space left"):
        save(Broken(), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["curve.png"]


ODD = """\
backend: nonsense
text.usetex: True
savefig.dpi: 7
savefig.bbox: tight
figure.autolayout: True
font.size: 40
lines.linewidth: 30
axes.facecolor: black
"""


@pytest.mark.parametrize("rc", [ODD.encode(), b"\xff\xfe\x00"], ids=["odd", "undecodable"])
@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_pictures_are_the_same_whatever_backend_and_settings_a_person_has(tmp_path, backend, rc):
    code = "import digit_exp.plots; from pathlib import Path; from test_plots import *;"
    code += "draw(lambda: learning_curves(history_of(5), 3), Path('drawn.png'))"
    (tmp_path / "matplotlibrc").write_bytes(rc)
    tests = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": tests, "MPLBACKEND": backend}
    words = [sys.executable, "-c", code]
    subprocess.run(words, check=True, cwd=tmp_path, env=environment, capture_output=True)
    expected = draw(lambda: learning_curves(history_of(5), 3), tmp_path / "expected.png")
    np.testing.assert_array_equal(imread(tmp_path / "drawn.png"), imread(expected))


def test_a_style_of_the_same_process_changes_no_picture_and_is_kept(tmp_path):
    expected = draw(lambda: learning_curves(history_of(5), 3), tmp_path / "expected.png")
    with matplotlib.rc_context({"font.size": 40, "savefig.dpi": 7, "lines.linewidth": 30}):
        drawn = draw(lambda: learning_curves(history_of(5), 3), tmp_path / "drawn.png")
        assert matplotlib.rcParams["font.size"] == 40
    np.testing.assert_array_equal(imread(drawn), imread(expected))


def test_drawing_needs_no_pyplot():
    modules = "calibration, curves, data, predictions, sweeps, weights"
    code = f"import sys; from digit_exp.plots import {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "matplotlib.figure" in loaded.stdout.split()
    assert "matplotlib.pyplot" not in loaded.stdout.split()
