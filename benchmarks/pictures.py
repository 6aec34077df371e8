"""How often pictures are read right, how often wrong with confidence, and what is refused.

python benchmarks/pictures.py MODEL [COUNT] [HALF]

MODEL is the `model.npz` of a run on MNIST. COUNT pictures of each kind are made from digits of the
test set, which no network has learnt from: HALF 0 (even rows) is for choosing constants, HALF 1
(odd rows, other random numbers, other fonts) for reporting. The kinds are those of the tests; on
the scenes of UNSEEN no constant was chosen in either half. Of what is read as one or more digits,
"read right" is to be compared with "mean confidence".
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
UNSEEN = (
    *(scenes.palette, scenes.sixteen_bits, scenes.turned_by_the_camera, scenes.cropped),
    *(scenes.framed_by_the_scanner, scenes.black_on_transparent),
)
SEVERAL = (photographs.several, photographs.touching)
NONE = (photographs.letter, photographs.other_shape)
CONFIDENT = 0.9


def main() -> None:
    """Read the pictures of every kind and print a table."""
    classifier = Classifier.load(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    half = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    heads = ["right", "right, sure", "wrong, sure", f"wrong above {CONFIDENT:.0%}", "unsure"]
    heads += ["no digit", "read right", "mean confidence", "ms"]
    print(f"{count} pictures of each kind, half {half}\n")
    print(table(["kind", *heads], []))
    known, unseen = [], []
    for number, scene in enumerate((*ONE, *SEVERAL, *NONE, *UNSEEN)):
        rng = np.random.default_rng((half, number))
        made = [picture(scene, rng, half) for _ in range(count)]
        started = time.perf_counter()
        outcomes = np.array([outcome(classifier, *each) for each in made]).T
        milliseconds = (time.perf_counter() - started) / count * 1000
        answered = outcomes[[0, -1]][:, outcomes[-1] > 0]
        numbers = [f"{each.sum():.0f}" for each in outcomes[:-1]]
        numbers += [f"{100 * each.mean():.1f}" for each in answered]
        name = scene.__name__.replace("_", " ")
        print(f"| {' | '.join([name, *numbers, f'{milliseconds:.0f}'])} |", flush=True)
        if scene not in NONE:
            (unseen if scene in UNSEEN else known).append(answered)
    for name, some in (("all digits", [*known, *unseen]), ("unseen scenes", unseen)):
        error = 100 * calibration_error(*np.concatenate(some, axis=1))
        print(f"expected calibration error, {name}: {error:.1f} %")


def calibration_error(right, confidence):
    """Return the mean difference of confidence and accuracy, in ten bins of confidence."""
    bins = np.minimum((10 * confidence).astype(int), 9)
    sums = [np.bincount(bins, weights=each, minlength=10) for each in (right, confidence)]
    return np.abs(sums[0] - sums[1]).sum() / len(right)


def picture(scene, rng, half):
    """Return a picture and what is written in it."""
    if scene in NONE:
        return scene(rng, half), ""
    is_one = scene in ONE or scene in UNSEEN
    count = 1 if is_one else 2 if scene is photographs.touching else int(rng.integers(2, 5))
    chosen = 2 * rng.integers(len(scenes.DIGITS) // 2, size=count) + half
    images = scenes.DIGITS.images[chosen]
    text = "".join(map(str, scenes.DIGITS.labels[chosen]))
    return scene(images[0] if is_one else images, rng), text


def outcome(classifier, data, text):
    """Return whether it is right, right and sure, wrong and sure, wrong above 90 %, ..."""
    try:
        found = read(decode(data), classifier.shape, classifier, DIGITS)
    except NoDigit:
        return (0,) * 5 + (1, 0.0)
    is_none = all(each.digit is None for each in found)
    is_right = "".join("?" if each.digit is None else str(each.digit) for each in found) == text
    is_sure = all(each.is_sure for each in found)
    confidence = min(each.confidence for each in found)
    is_confident = confidence > CONFIDENT
    is_wrong = not is_right and is_sure
    unsure = not is_sure and not is_none
    sure = is_right and is_sure, is_wrong, is_wrong and is_confident
    return is_right, *sure, unsure, is_none, confidence


if __name__ == "__main__":
    main()
