"""What is read in a picture, how sure it is, and what is no digit."""

import numpy as np
import photographs
import pytest
from scenes import DIGITS, scan

from digit_exp.vision import detector, reader
from digit_exp.vision.decode import decode
from digit_exp.vision.reader import CHARACTERS, WHOLE, answer, read
from digit_exp.vision.reader import DIGITS as TEN

SHAPE = (28, 28)


def oracle(seen):
    """A network that is as good as the detector, and always finds a digit."""
    found = detector.probabilities(seen)[:, : detector.DIGITS]
    return found / found.sum(axis=1, keepdims=True)


def readings(data, kind=TEN):
    return read(decode(data), SHAPE, oracle, kind)


def test_digits_are_read_and_few_are_lost():
    found = [readings(scan(DIGITS.images[k], np.random.default_rng(k))) for k in range(60)]
    right = sum(
        len(each) == 1 and each[0].is_sure and each[0].digit == label
        for each, label in zip(found, DIGITS.labels, strict=False)
    )
    assert right >= 55


@pytest.mark.parametrize("draw", [photographs.letter, photographs.other_shape])
def test_letters_and_drawings_are_unsure_or_no_digit(draw):
    found = [readings(draw(np.random.default_rng(k), 1)) for k in range(40)]
    assert sum(not all(each.is_sure for each in some) for some in found) >= 30


def test_the_parts_of_a_broken_digit_are_read_as_one(monkeypatch):
    images = DIGITS.images[:40].copy()
    images[:, 12:15] = 0
    pictures = [scan(image, np.random.default_rng(k)) for k, image in enumerate(images)]

    def right():
        found = [[each.digit for each in readings(picture)] for picture in pictures]
        return sum(one == [label] for one, label in zip(found, DIGITS.labels, strict=False))

    joined = right()
    monkeypatch.setattr(reader, "JOINED", 1.1)
    assert joined > right() + 3


def test_digits_that_are_turned_are_read_by_adding_up_turns(monkeypatch):
    pictures = [
        photographs.turned_by_30(DIGITS.images[k], np.random.default_rng(k)) for k in range(40)
    ]

    def right():
        found = [readings(picture) for picture in pictures]
        return sum(each[0].digit == k for each, k in zip(found, DIGITS.labels, strict=False))

    by_turns = right()
    monkeypatch.setattr(reader, "TURNS", {0: 1.0, 15: 0.0})
    assert by_turns > right() + 3


def test_a_shape_that_only_a_turn_makes_a_digit_must_be_clearer_to_be_sure(monkeypatch):
    shapes = [photographs.other_shape(np.random.default_rng(k), 1) for k in range(40)]

    def sure():
        return sum(all(each.is_sure for each in readings(shape)) for shape in shapes)

    found = sure()
    monkeypatch.setattr(reader, "SURE_TURNED", reader.SURE)
    assert found < sure()


def test_letters_are_read_by_a_network_of_other_characters():
    found = readings(photographs.letter(np.random.default_rng(0), 1), CHARACTERS)
    assert found[0].digit is not None
    assert found[0].probabilities.sum() == pytest.approx(1)


def test_a_whole_picture_is_scaled_and_not_searched():
    levels = np.full((56, 84), 0.5, np.float32)
    (found,) = read(levels, SHAPE, oracle, WHOLE)
    assert found.seen.shape == SHAPE
    assert (found.seen == 128).all()
    assert found.box == (0, 0, 1, 1)


def test_touching_digits_are_often_told_apart(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = [(k, k + 1) for k in range(20)]
    pictures = [photographs.touching(DIGITS.images[list(pair)], rng) for pair in pairs]

    def right():
        found = [[each.digit for each in readings(picture)] for picture in pictures]
        labels = [DIGITS.labels[list(pair)].tolist() for pair in pairs]
        return sum(one == other for one, other in zip(found, labels, strict=True))

    told_apart = right()
    assert told_apart >= 8
    monkeypatch.setattr(reader, "PAIR", 1.1)
    assert right() < told_apart


def test_the_answer_has_every_digit_and_the_least_confidence():
    rng = np.random.default_rng(1)
    found = readings(photographs.several(DIGITS.images[[3, 2, 1]], rng))
    plain = answer(found)
    assert [each["class"] for each in plain["digits"]] == [0, 1, 2]
    assert plain["class"] is None
    assert plain["confidence"] == min(each["confidence"] for each in plain["digits"])
    lefts = [each["box"][0] for each in plain["digits"]]
    assert lefts == sorted(lefts)
