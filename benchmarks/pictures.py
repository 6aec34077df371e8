"""How often pictures are read right, how often wrong with confidence, and what is refused.

python benchmarks/pictures.py MODEL [COUNT] [HALF]

MODEL is the `model.npz` of a run on MNIST. COUNT pictures of each kind are made from digits of the
test set, which no network has learnt from: HALF 0 (even rows) is for choosing constants, HALF 1
(odd rows, other random numbers, other fonts) for reporting. The kinds are those of the tests.
"""

import sys
import time
from pathlib import Path

import numpy as np

from digit_exp.nn.classifier import Classifier
from digit_exp.vision.decode import decode
from digit_exp.vision.reader import DIGITS, read
from digit_exp.vision.segmentation import NoDigit
from measuring import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "vision"))
import photographs
import scenes

ONE = (
    *(scenes.scan, scenes.photo, scenes.pencil, scenes.as_stored, scenes.shadow),
    *(scenes.light_on_dark, scenes.small_on_a_large_page, photographs.sheet_on_a_table),
    *(photographs.lined_paper, photographs.colours_of_equal_grey, photographs.thin_strokes),
    *(photographs.turned_by_30, photographs.turned_by_180),
)
SEVERAL = (photographs.several, photographs.touching)
NONE = (photographs.letter, photographs.other_shape)
CONFIDENT = 0.9


def main() -> None:
    """Read the pictures of every kind and print a table."""
    classifier = Classifier.load(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    half = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rows = []
    for number, scene in enumerate((*ONE, *SEVERAL, *NONE)):
        rng = np.random.default_rng((half, number))
        made = [picture(scene, rng, half) for _ in range(count)]
        started = time.perf_counter()
        outcomes = np.array([outcome(classifier, *each) for each in made])
        milliseconds = (time.perf_counter() - started) / count * 1000
        name = scene.__name__.replace("_", " ")
        rows.append([name, *map(str, outcomes.sum(axis=0)), f"{milliseconds:.0f}"])
    print(f"{count} pictures of each kind, half {half}\n")
    heads = ["right", "right, sure", "wrong, sure", f"wrong above {CONFIDENT:.0%}", "unsure"]
    print(table(["kind", *heads, "no digit", "ms"], rows))


def picture(scene, rng, half):
    """Return a picture and what is written in it."""
    if scene in NONE:
        return scene(rng, half), ""
    count = 1 if scene in ONE else 2 if scene is photographs.touching else int(rng.integers(2, 5))
    chosen = 2 * rng.integers(len(scenes.DIGITS) // 2, size=count) + half
    images = scenes.DIGITS.images[chosen]
    text = "".join(map(str, scenes.DIGITS.labels[chosen]))
    return scene(images[0] if scene in ONE else images, rng), text


def outcome(classifier, data, text):
    """Return whether it is right, right and sure, wrong and sure, wrong above 90 %, ..."""
    try:
        found = read(decode(data), classifier.shape, classifier, DIGITS)
    except NoDigit:
        return (False,) * 5 + (True,)
    is_none = all(each.digit is None for each in found)
    is_right = "".join("?" if each.digit is None else str(each.digit) for each in found) == text
    is_sure = all(each.is_sure for each in found)
    is_confident = min(each.confidence for each in found) > CONFIDENT
    is_wrong = not is_right and is_sure
    unsure = not is_sure and not is_none
    return is_right, is_right and is_sure, is_wrong, is_wrong and is_confident, unsure, is_none


if __name__ == "__main__":
    main()
