"""How often a picture of a digit is read right, beside the same digit as the data set has it.

python benchmarks/pictures.py MODEL [DIGITS]

MODEL is the `model.npz` of a run with the default split and seed. The digits are the last of its
validation images: neither its training nor the thresholds of `vision` have used them. The pictures
are those of the tests: scans, photos with uneven light, shadows and more.
"""

import sys
import time
from pathlib import Path

import numpy as np

from digit_exp.data.sources import Mnist
from digit_exp.data.splits import train_val_split
from digit_exp.nn.classifier import Classifier
from digit_exp.rng import Rng
from digit_exp.vision.normalize import read
from digit_exp.vision.segmentation import NoDigit
from measuring import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "vision"))
from scenes import SCENES


def main() -> None:
    """Read the same digits in every scene and print the shares."""
    classify = Classifier.load(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    _, val = train_val_split(Mnist().load().train, val_ratio=0.1, rng=Rng(42)("split"))
    digits, labels = val.images[val.rows[-count:]], val.labels[-count:]
    plain = (classify(digits).argmax(axis=1) == labels).mean()
    rows = [["as the data set has it", f"{plain:.1%}", "–", "–"]]
    for number, scene in enumerate(SCENES):
        rng = Rng(1)("scenes", number)
        started = time.perf_counter()
        read_as = [attempt(classify, scene(digit, rng)) for digit in digits]
        milliseconds = (time.perf_counter() - started) / count * 1000
        right = np.mean([guess == label for guess, label in zip(read_as, labels, strict=True)])
        refused = read_as.count(None) / count
        name = scene.__name__.replace("_", " ")
        rows.append([name, f"{right:.1%}", f"{refused:.1%}", f"{milliseconds:.0f}"])
    print(f"{count} digits\n")
    print(
        table(["scene", "read right", "no digit found", "ms a picture, drawing it included"], rows)
    )


def attempt(classify: Classifier, picture: bytes) -> int | None:
    """Return the class, None if no digit is found."""
    try:
        return int(classify(read(picture, classify.shape)[None]).argmax())
    except NoDigit:
        return None


if __name__ == "__main__":
    main()
