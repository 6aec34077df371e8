"""The presets on another data set: images that are not square, few of them, three classes."""

import struct

import numpy as np
import pytest

from digit_exp.config.compose import compose
from digit_exp.config.paths import conf_dir
from digit_exp.data.augmentations import Unchanged
from digit_exp.runs.experiment import Experiment
from digit_exp.training.checkpoint import load_network
from tiny_runs import start

PRESETS = sorted(file.stem for file in (conf_dir() / "experiment").glob("*.yaml"))
HEIGHT, WIDTH, CLASSES, COUNT = 7, 12, 3, 150


def idx(values):
    values = np.asarray(values, np.uint8)
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A folder with images of a bar at the left, in the middle or at the right."""
    folder = tmp_path_factory.mktemp("bars")
    labels = np.arange(COUNT) % CLASSES
    images = np.random.default_rng(0).integers(0, 60, (COUNT, HEIGHT, WIDTH))
    for image, label in zip(images, labels, strict=True):
        image[1:-1, 2 + 3 * label : 4 + 3 * label] = 255
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def trained_on(bars, folder, *words, epochs):
    """Train until the bars are told apart; return the configuration, and the figures drawn."""
    data = ["data=idx", f"data.dir='{bars}'", "tracking=none", "trainer.fit_minutes=null"]
    (config,) = compose([*words, *data, f"trainer.epochs={epochs}", "trainer.batch_size=10"]).jobs
    experiment = Experiment.prepare(config, folder)
    assert start(experiment).summary["test_acc"] > 0.8
    network = load_network(folder / "checkpoints" / "last.npz")
    assert network.predict_proba(experiment.dataset.test.images).shape == (COUNT, CLASSES)
    return config, {file.stem for file in (folder / "figures").glob("*.png")}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains_on_images_of_another_kind(preset, bars, tmp_path):
    model = compose([f"experiment={preset}"]).jobs[0].model
    words = [f"experiment={preset}", "model.hidden=[16]"]
    if hasattr(model, "filters"):  # as many blocks, of fewer maps
        words.append(f"model.filters={[8] * len(model.filters)}")
    config, drawn = trained_on(bars, tmp_path, *words, epochs=12)
    assert "first_layer_weights" in drawn
    assert ("feature_maps" in drawn) == hasattr(config.model, "filters")
    assert ("augmentation" in drawn) != isinstance(config.augmentation, Unchanged)


def test_a_convolutional_network_is_trained_drawn_and_kept_like_any_other(bars, tmp_path, drawing):
    words = ["model=cnn", "model.filters=[4]", "augmentation=affine"]
    with drawing():
        _, drawn = trained_on(bars, tmp_path, *words, epochs=4)
    assert {"feature_maps", "first_layer_weights"} <= drawn
