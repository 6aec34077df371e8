"""Charts are laid out so that nothing is cut off and names beside an axis do not overlap."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from digit_exp.plots.calibration import reliability
from digit_exp.plots.curves import gradient_norms, layer_statistics, learning_curves
from digit_exp.plots.data import class_distribution
from digit_exp.plots.disagreements import Block, disagreements
from digit_exp.plots.effects import Effect, main_effects
from digit_exp.plots.pairs import Pair, pair_maps
from digit_exp.plots.parts.canvas import own_settings
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.predictions import confusion_matrix, misread_digits
from digit_exp.plots.search import (
    ParallelAxis,
    best_so_far,
    importance_bars,
    parallel_coordinates,
)
from digit_exp.plots.sweeps import best_curves
from digit_exp.plots.weights import weight_histograms

ACCURACY = Scale("validation accuracy", is_share=True)
LOSS = Scale("validation loss", is_share=False)
NAMES = ["warmup_exponential", "constant", "warmup_cosine", "plateau", "one_cycle", "step"]
NAMES_OF_CLASSES = [f"ankle boot {n}" for n in range(10)]
CLOTHES = ["Ankle boot", "Pullover", "T-shirt/top", *NAMES_OF_CLASSES[3:]]
IMAGES = np.zeros((10, 28, 28), np.float32)
LONG_NAMES = [f"trousers and other garments, {n}" for n in range(10)]
MANY_NAMES = [f"class {n}" for n in range(100)]
LAYERS = [f"batch_normalized_{n}" for n in range(6)]
HISTORY = [
    {"epoch": e, "train_loss": 1e4 / e**5, "val_loss": 2 / e, "train_acc": 0.5, "val_acc": 0.9}
    | {f"weight_norms/{layer}": 1.0 / e for layer in LAYERS}
    | {f"update_ratios/{layer}": 1e-5 / e for layer in LAYERS}
    | {f"gradient_norms/{layer}": 1e5 / e for layer in LAYERS}
    for e in range(1, 40)
]
EFFECT = Effect("schedule", NAMES, [0.9] * 6, [0.8] * 6, [1.0] * 6)
RATE = Effect("lr", [0.0003, 0.0008, 0.0009], [0.9] * 3, [0.8] * 3, [1.0] * 3, is_log=True)
LONG_AXIS = ParallelAxis("augmentation.max_shift", [0, 0.5, 1], [(0, "0"), (1, "1")])
AXIS = ParallelAxis("schedule", [0, 0.5, None], [(0, NAMES[0]), (1, NAMES[1])])
PAIR = Pair("schedule", "model.activation", NAMES, NAMES, np.full((6, 6), 0.9))


@pytest.mark.parametrize(
    "make",
    [
        lambda: learning_curves(HISTORY, 5),
        lambda: gradient_norms(HISTORY),
        lambda: layer_statistics(HISTORY),
        lambda: gradient_norms([{"epoch": 1} | {f"gradient_norms/{n}": 1.0 for n in MANY_NAMES}]),
        lambda: layer_statistics([{"epoch": 1} | {f"weight_norms/{n}": 1.0 for n in MANY_NAMES}]),
        lambda: class_distribution(
            {"train": np.full(10, 100_000), "val": np.full(10, 9)}, NAMES_OF_CLASSES
        ),
        lambda: confusion_matrix(np.arange(10), np.zeros(10, int), NAMES_OF_CLASSES),
        lambda: confusion_matrix(np.arange(10), np.zeros(10, int), LONG_NAMES),
        lambda: confusion_matrix(np.arange(100), np.zeros(100, int), MANY_NAMES),
        lambda: class_distribution({"train": np.full(100, 9)}, MANY_NAMES),
        lambda: misread_digits(IMAGES, np.arange(10), np.eye(10)[[1] * 10], LONG_NAMES),
        lambda: misread_digits(IMAGES, np.arange(10), np.eye(10)[[1] * 10], CLOTHES),
        lambda: disagreements(*[Block("right", IMAGES, LONG_NAMES, LONG_NAMES)] * 2),
        lambda: reliability(np.zeros(20, int), np.full((20, 2), 0.5), 1.0),
        lambda: weight_histograms({f"dense_{n}": np.ones((300, 100)) for n in range(4)}),
        lambda: main_effects([EFFECT] * 4, ACCURACY),
        lambda: main_effects([RATE] * 3, ACCURACY),
        lambda: pair_maps([PAIR] * 3, ACCURACY),
        lambda: best_so_far([1, 2, 3], [0.4, 2.0, 0.2], LOSS),
        lambda: importance_bars(NAMES, [0.1] * 6, [(0.0, 1.0)] * 6),
        lambda: parallel_coordinates([AXIS] * 4, [0.9, 0.8, 0.7], ACCURACY),
        lambda: parallel_coordinates([LONG_AXIS] * 6, [0.9, 0.8, 0.7], ACCURACY),
        lambda: best_curves({f"#{n}  schedule={NAMES[n]}": [HISTORY] for n in range(5)}),
    ],
)
def test_nothing_is_cut_off_and_names_do_not_overlap(make):
    with own_settings():
        figure = make()
        FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    inside = figure.bbox.padded(1)
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert inside.y0 <= box.y0 < box.y1 <= inside.y1
        for text in axes.texts:
            at = text.get_window_extent(renderer)
            assert inside.x0 <= at.x0 < at.x1 <= inside.x1, text
        upright = [label for label in axes.get_xticklabels() if not label.get_rotation()]
        lists = [figure.texts, axes.texts if axes.images else []]
        for some in (upright, axes.get_yticklabels(), *lists):
            shown = [label for label in some if label.get_text() and label.get_visible()]
            for one, other in combinations(shown, 2):
                boxes = one.get_window_extent(renderer), other.get_window_extent(renderer)
                assert not boxes[0].overlaps(boxes[1]), (one, other)
    for one, other in combinations(figure.axes, 2):
        boxes = one.get_tightbbox(renderer), other.get_tightbbox(renderer)
        assert not boxes[0].overlaps(boxes[1])
