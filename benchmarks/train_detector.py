"""Make the training set of the detector, and the detector of a network that was trained on it.

python benchmarks/train_detector.py images FOLDER    # four IDX files, about five minutes
digit-exp data=idx data.dir=FOLDER model=cnn model.hidden=[64] regularization=dropout \
    regularization.dropout=0.3 trainer.epochs=12 trainer.batch_size=64 trainer.ema=0.999 \
    trainer.early_stopping.enabled=false    # about five minutes
python benchmarks/train_detector.py weights RUN/model.npz    # writes vision/detector.npz

Half of the images are digits of MNIST's training set: as they are, slanted, warped, with thinner
and thicker strokes. The others are letters of fonts that `pictures.py` does not use, random strokes
and closed figures, parts of two digits, and digits that are upside down, mirrored or turned too
far; two digits that touch have a class of their own. Letters with the form of a digit (O, D, l, S,
Z, B, G, ...) are left out.
"""

import math
import struct
import sys
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from digit_exp.data.readers.idx_folder import FILES
from digit_exp.data.sources import Mnist
from digit_exp.nn.classifier import Classifier
from digit_exp.vision.detector import WEIGHTS
from digit_exp.vision.normalize import Glyph
from digit_exp.vision.segmentation import bounding_box
from digit_exp.vision.strokes import widened

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FACES = (
    *("DejaVuSans-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif"),
    *("DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "STIXGeneralItalic", "STIXGeneralBol"),
    *("STIXGeneralBolIta", "cmr10", "cmb10", "cmti10", "cmtt10"),
)
LETTERS = "ACEFHKLMNPRTUVWXYacdefhkmnprtuvwxy#?@&%$+*=<>{}~^"
SIDE, SHAPE = 112, (28, 28)
DIGITS, OTHERS, PAIRS, TEST = 50_000, 50_000, 12_000, 3_000
MAY_STAY_A_DIGIT = 0, 1, 2, 5, 8
"""Digits that may be digits when they are upside down or mirrored."""
OTHER, PAIR = 10, 11


def large(image):
    """Return an image of MNIST in [0, 1], four times as large."""
    resized = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32) / 255


def finished(ink, rng, thicker):
    """Return ink of random thickness and sharpness as the reader normalises it, None if empty."""
    if thicker and (wide := int(rng.integers(0, 7))) > 1:
        disc = np.hypot(*np.mgrid[(slice(-wide / 2 + 0.5, wide / 2, 1),) * 2]) <= wide / 2
        ink = ndimage.maximum_filter(ink, footprint=disc)
    soft = ndimage.gaussian_filter(ink, rng.uniform(0.5, 3))
    soft = np.clip(soft / max(soft.max(), 1e-6) * rng.uniform(1, 1.6), 0, 1)
    if (soft > 0.5).sum() < 20:
        return None
    ink = widened(soft[bounding_box(soft > 0.5)].astype(np.float32))
    return Glyph(ink, (0, 0, 1, 1)).pixels(SHAPE)


def warped(ink, rng, amount=4.0, turn=15.0, shear=0.25):
    """Turn, shear, scale and bend at random."""
    angle = math.radians(rng.uniform(-turn, turn))
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = (
        rotation @ [[1, 0], [rng.uniform(-shear, shear), 1]] @ np.diag(rng.uniform(0.85, 1.15, 2))
    )
    at = np.stack(np.mgrid[:SIDE, :SIDE]).astype(np.float32) - (SIDE - 1) / 2
    bend = [
        ndimage.zoom(rng.normal(size=(5, 5)), SIDE / 5, mode="nearest", grid_mode=True)
        for _ in range(2)
    ]
    moved = np.tensordot(matrix, at, 1) + amount * rng.random() * np.stack(bend) + (SIDE - 1) / 2
    return ndimage.map_coordinates(ink, moved, order=1)


@cache
def font(name, size):
    """Return a font of matplotlib's."""
    return ImageFont.truetype(FONTS / f"{name}.ttf", size)


def letter(rng):
    """Draw a letter or a sign of a font."""
    image = Image.new("L", (SIDE, SIDE))
    face, text = FACES[rng.integers(len(FACES))], LETTERS[rng.integers(len(LETTERS))]
    place = (SIDE / 2, SIDE / 2)
    ImageDraw.Draw(image).text(place, text, 255, font(face, int(rng.integers(60, 85))), anchor="mm")
    return np.asarray(image, np.float32) / 255


def drawing(rng):
    """Draw a closed figure, perhaps with something in it, or some strokes."""
    image = Image.new("L", (SIDE, SIDE))
    draw, wide = ImageDraw.Draw(image), int(rng.integers(3, 10))
    for line in figure(rng, draw, wide) if rng.random() < 0.3 else strokes(rng):
        draw.line([tuple(point) for point in line], 255, wide, joint="curve")
    return np.asarray(image, np.float32) / 255


def figure(rng, draw, wide):
    """Draw dots and arcs inside a polygon or an ellipse, and return its outline."""
    corners = int(rng.integers(3, 8))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    if corners in (3, 4):
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 6)
        angles += rng.uniform(-0.3, 0.3, corners)
    elif corners == 7:
        angles = np.linspace(0, 2 * np.pi, 40)
    down, across = 40 * rng.uniform(0.7, 1, 2)
    points = np.stack([across * np.cos(angles), down * np.sin(angles)], 1) + SIDE / 2
    for _ in range(int(rng.integers(2 if corners == 7 else 0, 4))):
        (x, y), size = SIDE / 2 + 22 * rng.uniform(-1, 1, 2), rng.uniform(3, 18)
        if rng.random() < 0.5:
            draw.ellipse((x - wide, y - wide, x + wide, y + wide), fill=255)
        else:
            box = (x - size, y - size, x + size, y + size)
            draw.arc(box, rng.uniform(0, 360), rng.uniform(90, 450), fill=255, width=wide)
    return [np.concatenate([points, points[:2]])]


def strokes(rng):
    """Return two to five lines, curves and loops, most of which meet."""
    lines, known = [], []
    for _ in range(int(rng.integers(2, 6))):
        kind = rng.random()
        start, middle, end = SIDE / 2 + 40 * rng.uniform(-1, 1, (3, 2))
        if known and rng.random() < 0.8:
            start = known[rng.integers(len(known))]
        t = np.linspace(0, 1, 30)[:, None]
        line = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t * t * end
        if kind < 0.55:
            line = np.stack([start, end])
        elif kind > 0.85:
            angles = t * rng.uniform(2, 7) + rng.uniform(0, 6)
            loop = np.hstack([np.cos(angles), rng.uniform(0.6, 1.4) * np.sin(angles)])
            line = start + rng.uniform(8, 30) * (loop - loop[0])
        lines.append(line)
        known += list(line[[0, len(line) // 2, -1]])
    return lines


def digit(image, rng):
    """Return a digit as it is, or warped, some with the strokes of another pen."""
    kind = rng.random()
    if kind < 0.3:
        return image
    ink = np.clip(large(image), 0, 1)
    if kind < 0.75:
        ink = (ink > rng.uniform(0.3, 0.6)).astype(np.float32)
        wider = int(rng.integers(-4, 5))
        if wider < 0:
            depth = ndimage.distance_transform_edt(ink)
            ridge = depth >= np.minimum(-wider, 0.75 * ndimage.maximum_filter(depth, 15))
            ink = ndimage.binary_dilation(ridge & (ink > 0), iterations=2).astype(np.float32)
        elif wider > 1:
            ink = ndimage.maximum_filter(ink, wider)
    return finished(warped(ink, rng, 3, 18, 0.2), rng, thicker=False)


def other(images, labels, rng):
    """Return a shape that is no digit, None if it might be one."""
    kind, (first, second) = rng.random(), rng.integers(len(labels), size=2)
    if kind < 0.45:
        turn = 15 if rng.random() < 0.6 else 45
        return finished(warped(letter(rng), rng, turn=turn), rng, thicker=True)
    if kind < 0.72:
        return finished(warped(drawing(rng), rng, 5, 180), rng, thicker=True)
    if kind < 0.8:
        both, border = touching(large(images[first]), large(images[second]), rng)
        cut = border + rng.choice([-1, 1]) * int(rng.integers(8, 19))
        part = both[:, :cut] if rng.random() < 0.5 else both[:, cut:]
        return finished(part, rng, thicker=False) if part.size else None
    ink = large(images[first])
    if kind < 0.93:
        turned, is_digit = np.rot90(ink, 2), labels[first] in MAY_STAY_A_DIGIT
    elif kind < 0.97:
        turned = np.rot90(ink, rng.choice([1, 3])) if rng.random() < 0.5 else ink[:, ::-1]
        is_digit = labels[first] in MAY_STAY_A_DIGIT
    else:
        turned = ndimage.rotate(ink, rng.choice([-1, 1]) * rng.uniform(35, 65), reshape=False)
        is_digit = labels[first] in (0, 1)
    return None if is_digit else finished(warped(turned, rng), rng, thicker=rng.random() < 0.2)


def touching(left, right, rng):
    """Return two digits that touch or overlap, and the column at which the second one begins."""
    left, right = (ink[:, (ink > 0.5).any(axis=0)] for ink in (left, right))
    border = max(left.shape[1] + int(rng.integers(-12, 1)), 4)
    both = np.zeros((SIDE, max(left.shape[1], border + right.shape[1])), np.float32)
    both[:, : left.shape[1]] = left
    down = int(rng.integers(-8, 9))
    place = both[:, border : border + right.shape[1]]
    np.maximum(place, ndimage.shift(right, (down, 0), order=0), out=place)
    return both, border


def pair(images, rng):
    """Return two digits as one shape."""
    left, right = (large(images[k]) for k in rng.integers(len(images), size=2))
    both, _ = touching(left, right, rng)
    framed = np.pad(both, ((0, 0), (0, max(SIDE - both.shape[1], 0))))[:, : 2 * SIDE]
    if rng.random() < 0.5:
        framed = (framed > rng.uniform(0.3, 0.6)).astype(np.float32)
    return finished(framed, rng, thicker=False)


def write_images(folder):
    """Write the images as IDX files, those for testing among them."""
    rng, train = np.random.default_rng(7), Mnist().load().train
    images, labels = train.images[train.rows], train.labels
    some = [(digit(images[k % len(images)], rng), labels[k % len(images)]) for k in range(DIGITS)]
    some += [(other(images, labels, rng), OTHER) for _ in range(OTHERS)]
    some += [(pair(images, rng), PAIR) for _ in range(PAIRS)]
    some = [(image, label) for image, label in some if image is not None]
    order = rng.permutation(len(some))
    x, y = (np.array([some[k][part] for k in order], np.uint8) for part in (0, 1))
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in zip(FILES, (x[TEST:], y[TEST:], x[:TEST], y[:TEST]), strict=True):
        header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
        (folder / name).write_bytes(header + values.tobytes())


def write_weights(model):
    """Write the weights of a network as whole numbers with a scale for each unit."""
    classifier = Classifier.load(model)
    arrays, values = classifier.network.parameters.arrays(), {}
    names = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    for number, name in enumerate(names):
        last = classifier.temperature if name == names[-1] else 1
        weight, bias = (arrays[f"{name}.{part}"] / np.float32(last) for part in ("weight", "bias"))
        scale = np.abs(weight).max(axis=0) / 127
        values[f"weight_{number}"] = np.rint(weight / scale).astype(np.int8)
        values[f"scale_{number}"], values[f"bias_{number}"] = scale, bias
    np.savez_compressed(WEIGHTS, allow_pickle=False, **values)


if __name__ == "__main__":
    {"images": write_images, "weights": write_weights}[sys.argv[1]](Path(sys.argv[2]))
