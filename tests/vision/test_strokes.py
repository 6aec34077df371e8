"""Fine strokes become as wide as those that networks of MNIST have learnt."""

import numpy as np
from scenes import DIGITS

from digit_exp.vision.normalize import glyphs
from digit_exp.vision.strokes import FINE, widened, width


def test_a_fine_line_becomes_as_wide_as_a_fine_pen_of_mnist():
    ink = np.zeros((90, 60), np.float32)
    for row in range(90):
        ink[row, 5 + row // 2] = 1
    assert width(ink) < 1.5
    assert 0.7 * FINE < width(widened(ink)) / 90 < 1.3 * FINE


def test_the_strokes_of_a_usual_pen_stay():
    ink = DIGITS.images[0][4:24, 4:24] / np.float32(255)
    assert widened(ink) is ink


def test_a_fine_seven_is_found_with_full_strokes():
    page = np.full((200, 200), 0.95, np.float32)
    page[60:62, 70:120] = 0.1
    for row in range(60, 140):
        page[row, 118 - (row - 60) // 2 : 120 - (row - 60) // 2] = 0.1
    (found,) = glyphs(page)
    assert width(found.strength) > 0.7 * FINE * max(found.strength.shape)
