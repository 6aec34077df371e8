"""The command that reads pictures: files, folders, standard input; what it prints and draws."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from digit_exp.cli.entry import main
from digit_exp.data.sources import Mnist
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.results.calibration import tempered
from digit_exp.training.checkpoint import load_network
from tiny_runs import run

DIGITS = Mnist().load().test.images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run that was not tracked, with pictures beside it."""
    folder = tmp_path_factory.mktemp("predict")
    made = folder / "outputs" / "run"
    made.mkdir(parents=True)
    record = RunRecord(None)
    _, result = run(made)
    record.status, record.summary = result.status, result.summary
    record.write(made)
    pictures = folder / "pictures"
    pictures.mkdir()
    for index in range(3):
        Image.fromarray(255 - DIGITS[index].repeat(6, 0).repeat(6, 1)).save(
            pictures / f"{index}.png"
        )
    Image.new("L", (80, 80), 200).save(pictures / "blank.jpg")
    (pictures / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def say(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def said(*words):
        code = main(["predict", *words])
        return code, capsys.readouterr()

    return said


def test_pictures_are_read_with_the_tested_network_and_its_temperature(say, folder):
    code, printed = say("outputs/run", "pictures", "--json")
    assert code == 1  # one has no digit
    first, *_, blank = (json.loads(line) for line in printed.out.splitlines())
    assert first["image"] == "pictures/0.png"
    assert first["class"] == int(np.argmax(first["probabilities"]))
    assert first["confidence"] == max(first["probabilities"])
    assert blank["class"] is None
    assert blank["problem"] == "no digit found: the picture is blank"


def test_standard_input_is_a_picture_too(say, folder, monkeypatch):
    data = (folder / "pictures" / "1.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, printed = say("outputs/run", "-")
    assert code == 0
    assert printed.out.splitlines()[0] == "data set: synthetic"
    assert "confidence calibrated" in printed.out
    assert "standard input" in printed.out


def test_confidence_is_calibrated_where_the_run_has_a_temperature(say, folder, drawing):
    temperature = RunRecord.read(folder / "outputs" / "run").summary["temperature"]
    with drawing():
        _, printed = say("outputs/run", "pictures/0.png", "--json", "--show", "seen.png")
    network = load_network(folder / "outputs" / "run" / "checkpoints" / "best.npz")
    with Image.open(folder / "seen.png") as drawn:
        assert drawn.size[0] > 500
    found = json.loads(printed.out)["probabilities"]
    from digit_exp.vision.normalize import read

    side = round(network.inputs**0.5)
    seen = read((folder / "pictures" / "0.png").read_bytes(), (side, side))
    expected = tempered(network.logits(seen[None]), temperature)[0]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_a_picture_that_is_not_there_is_named(say):
    code, printed = say("outputs/run", "nowhere.png")
    assert code == 2
    assert "'nowhere.png' is not a file" in printed.err


def test_a_picture_of_a_format_that_is_not_read_is_told_and_not_left_out(say, folder, tmp_path):
    for name in ("photo.HEIC", "scan.tiff"):
        (tmp_path / name).write_bytes(b"something")
    code, printed = say("outputs/run", str(tmp_path))
    assert code == 1
    assert printed.out.count("cannot be read: unsupported format; use PNG, JPEG") == 2
