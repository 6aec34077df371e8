"""What the network sees of a picture: the digit as MNIST has it, or nothing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scenes import DIGITS, SCENES, encoded, page

from digit_exp.vision.normalize import normalize, read
from digit_exp.vision.segmentation import NoDigit

SOME = range(12)


def likeness(image, other):
    """The correlation of two images, moved by up to a pixel against each other."""
    moves = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(
        np.corrcoef(np.roll(image, move, (0, 1)).ravel(), other.ravel())[0, 1] for move in moves
    )


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_digit_is_seen_as_mnist_has_it(scene):
    found = []
    for index in SOME:
        digit = DIGITS.images[index]
        seen = read(scene(digit, np.random.default_rng(index)))
        found.append(likeness(seen, digit))
    assert np.median(found) > 0.9
    assert sum(value > 0.75 for value in found) >= len(found) - 1


def test_the_digit_fits_the_box_and_its_mass_is_in_the_middle():
    for index in SOME:
        seen = read(encoded(255 - DIGITS.images[index].repeat(9, 0).repeat(5, 1)))
        rows, columns = np.nonzero(seen > 30)
        assert max(np.ptp(rows), np.ptp(columns)) in (17, 18, 19)
        mass = seen / seen.sum()
        centre = [float((mass.sum(axis=1 - axis) * np.arange(28)).sum()) for axis in (0, 1)]
        assert centre == pytest.approx([13.5, 13.5], abs=0.6)
        assert seen.max() == 255


def test_a_network_of_another_size_gets_its_own_size():
    seen = read(encoded(255 - 230 * page(DIGITS.images[0], np.random.default_rng(0))), (56, 42))
    assert seen.shape == (56, 42)
    rows, columns = np.nonzero(seen > 30)
    assert 27 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 30


def drawing(draw_it, size=(300, 300)):
    image = Image.new("L", size, 245)
    draw_it(ImageDraw.Draw(image))
    return np.asarray(image, np.float32) / 255


def two_digits():
    first, second = (1 - page(DIGITS.images[i], np.random.default_rng(1), 150, 150) for i in (2, 3))
    return np.hstack([first, second])


NOISE = np.random.default_rng(0)
NOT_DIGITS = {
    "the picture is blank": np.full((200, 300), 0.9, np.float32),
    "the picture is blank ": np.linspace(0.3, 0.9, 300, dtype=np.float32)[None].repeat(200, 0),
    "nothing stands out": NOISE.random((200, 200), np.float32),
    "nothing stands out|blank": (0.7 + 0.03 * NOISE.normal(size=(300, 300))).astype(np.float32),
    "filled area": drawing(lambda draw: draw.ellipse((80, 80, 220, 220), fill=20)),
    "too flat": drawing(lambda draw: draw.line((40, 150, 260, 150), fill=20, width=12)),
    "too many shapes|separate|complex": drawing(
        lambda draw: [draw.text((20, 20 + 18 * i), "Lorem ipsum dolor sit amet") for i in range(14)]
    ),
    "separate shapes": two_digits(),
    "pixels high": drawing(lambda draw: draw.rectangle((150, 150, 152, 153), fill=20)),
    "at the edge|blank": np.ones((1, 1), np.float32),
}


@pytest.mark.parametrize("words", NOT_DIGITS)
def test_a_picture_without_a_digit_is_refused_with_the_reason(words):
    with pytest.raises(NoDigit, match=words.strip()):
        normalize(NOT_DIGITS[words])


def test_dirt_is_left_out():
    picture = 0.95 - 0.8 * page(DIGITS.images[0], np.random.default_rng(3))
    clean = normalize(picture.copy())
    for y, x in ((5, 5), (440, 10), (200, 340), (430, 330)):
        picture[y : y + 4, x : x + 4] = 0.1
    assert likeness(normalize(picture), clean) > 0.99
