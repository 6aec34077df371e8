"""Hard pictures: what is found in them, and where."""

import numpy as np
import photographs
import pytest
from scenes import DIGITS
from test_normalize import likeness

from digit_exp.vision.decode import decode
from digit_exp.vision.normalize import glyphs, read
from digit_exp.vision.segmentation import NoDigit
from digit_exp.vision.sheet import lay_out

SOME = range(8)


@pytest.mark.parametrize(
    "scene",
    [
        photographs.sheet_on_a_table,
        photographs.lined_paper,
        photographs.colours_of_equal_grey,
    ],
    ids=lambda scene: scene.__name__,
)
def test_a_digit_is_found_in_a_hard_picture(scene):
    found = []
    for index in SOME:
        digit = DIGITS.images[index]
        try:
            seen = read(scene(digit, np.random.default_rng(index)))
        except NoDigit:
            continue
        found.append(likeness(seen, digit))
    assert sum(value > 0.6 for value in found) >= len(SOME) - 1


def test_the_table_around_a_sheet_gets_the_brightness_of_paper():
    for index in SOME:
        picture = photographs.sheet_on_a_table(DIGITS.images[index], np.random.default_rng(index))
        levels = decode(picture)
        laid, (top, left) = lay_out(levels)
        assert laid is not levels
        assert 0 <= top < levels.shape[0]
        assert 0 <= left < levels.shape[1]
        assert (laid < 0.4 * np.median(laid)).mean() < 0.15


def test_a_page_without_a_table_is_left_as_it_is():
    levels = np.full((300, 200), 0.9, np.float32)
    levels[100:180, 90:100] = 0.2
    assert lay_out(levels)[0] is levels


def test_several_digits_come_in_reading_order_with_their_places():
    page = np.full((400, 500), 0.95, np.float32)
    places = [(40, 60), (55, 200), (30, 350), (230, 100), (240, 260)]
    for index, (top, left) in zip(SOME, places, strict=False):
        ink = DIGITS.images[index].repeat(4, 0).repeat(4, 1) / 255
        page[top : top + 112, left : left + 112] -= 0.85 * ink
    found = glyphs(page)
    assert len(found) == len(places)
    for index, (glyph, (top, left)) in enumerate(zip(found, places, strict=True)):
        box = np.array(glyph.box) * (500, 400, 500, 400)
        assert (box > (left - 5, top - 5, left + 15, top + 10)).all()
        assert (box < (left + 60, top + 50, left + 117, top + 117)).all()
        assert likeness(glyph.pixels((28, 28)), DIGITS.images[index]) > 0.8
