"""Hard pictures, made by script: paper on a table, lines, colours, several digits, other shapes.

Each scene takes digits (uint8, 28 × 28) and a generator, and returns the encoded picture.
"""

import math
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scenes import encoded, lamp, pen
from scipy import ndimage

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
LUMA = np.array([0.299, 0.587, 0.114])
LETTERS = "AEFHKMNPRTVWXYacdefhkmnprtuvwxy"
"""Without those that have the form of a digit in some hand: O, I, l, S, Z, B, b, g, q, G, j …"""
SHAPES = (
    *("smiley", "triangle", "square", "star", "heart", "arrow", "cross", "plus", "tick", "spiral"),
    *("house", "hash", "question", "at", "ampersand", "wave", "stairs", "tree"),
)


def sheet_on_a_table(digit, rng):
    """A sheet in perspective on a dark table with grain; a third of them run out of the picture."""
    height, width = 640, 480
    paper = np.full((height, width), rng.uniform(0.75, 0.97))
    size = int(rng.integers(150, 300))
    top, left = (int(rng.integers(40, side - size - 40)) for side in (height, width))
    paper[top : top + size, left : left + size] *= 1 - rng.uniform(0.6, 0.9) * pen(digit, size)
    canvas = 900, 800
    angle = math.radians(rng.uniform(-12, 12))
    scale = rng.uniform(0.8, 1.0) if rng.random() < 2 / 3 else rng.uniform(1.2, 1.5)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    corners = (corners - (width / 2, height / 2)) * scale
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    digit_at = (np.array([left + size / 2, top + size / 2]) - (width / 2, height / 2)) * scale
    centre = np.array(canvas[::-1]) / 2 - (0 if scale < 1.1 else digit_at @ turn)
    placed = corners @ turn + centre + rng.uniform(-35, 35, (4, 2))
    coefficients = perspective(placed, corners / scale + (width / 2, height / 2))
    sheet = Image.fromarray((paper * 255).astype(np.uint8))
    options = {"method": Image.Transform.PERSPECTIVE, "data": coefficients}
    resample = Image.Resampling.BILINEAR
    seen = np.asarray(sheet.transform(canvas[::-1], resample=resample, **options), np.float32) / 255
    whole = Image.new("L", sheet.size, 255)
    mask = np.asarray(whole.transform(canvas[::-1], resample=resample, **options), np.float32) / 255
    grain = ndimage.gaussian_filter(rng.normal(size=canvas), (2, 40), truncate=2)
    table = rng.uniform(0.1, 0.35) * (1 + 0.25 * grain / grain.std())
    cast = 1 - 0.4 * ndimage.gaussian_filter(np.roll(mask, (12, 10), (0, 1)), 8)
    levels = mask * seen + (1 - mask) * table * cast
    tint = np.array([1, 1, 1]) - mask[..., None] * rng.uniform(0, 0.06, 3)
    tint = tint - (1 - mask[..., None]) * rng.uniform(0, 1) * np.array([0, 0.25, 0.45])
    return photograph(levels[..., None] * tint, rng)


def lined_paper(digit, rng):
    """Ruled or squared paper; the lines run through the digit."""
    height, width, size = 500, 420, int(rng.integers(130, 240))
    step = int(size * rng.uniform(0.25, 0.6))
    colour = np.array([[0.55, 0.65, 0.85], [0.6, 0.6, 0.6], [0.8, 0.55, 0.6]])[rng.integers(3)]
    page = np.full((height, width, 3), 0.95)
    first, thick = int(rng.integers(step)), int(rng.integers(1, 4))
    for y in range(first, height, step):
        page[y : y + thick] = colour
    if rng.random() < 0.5:
        for x in range(int(rng.integers(step)), width, step):
            page[:, x : x + thick] = colour
    ink = np.zeros((height, width))
    top, left = (int(rng.integers(20, side - size - 20)) for side in (height, width))
    ink[top : top + size, left : left + size] = pen(digit, size)
    blue = np.array([[0.1, 0.1, 0.15], [0.1, 0.15, 0.5]])[rng.integers(2)]
    turned = page * (1 - ink[..., None]) + blue * ink[..., None]
    return photograph(turned, rng)


def photograph(levels, rng):
    """Light, shadow, blur, noise and JPEG over a picture in [0, 1]."""
    shape = levels.shape[:2]
    light = lamp(shape, rng, rng.uniform(0.1, 0.5))
    if rng.random() < 0.5:
        y, x = np.mgrid[: shape[0], : shape[1]]
        edge = x + rng.uniform(-0.6, 0.6) * y > rng.uniform(0.2, 0.8) * shape[1]
        light = light * (1 - rng.uniform(0.2, 0.4) * ndimage.gaussian_filter(edge * 1.0, 12))
    lit = np.clip(255 * levels * light[..., None] + rng.normal(0, 4, levels.shape), 0, 255)
    picture = Image.fromarray(lit.astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.8)))
    return encoded(picture, "JPEG", quality=int(rng.integers(55, 92)))


def colours_of_equal_grey(digit, rng):
    """Ink and paper of one brightness, and of different hue."""
    grey = rng.uniform(0.4, 0.6)
    while True:
        ink, paper = rng.uniform(0, 1, (2, 3))
        ink, paper = (colour + grey - colour @ LUMA for colour in (ink, paper))
        fits = min(ink.min(), paper.min()) >= 0 and max(ink.max(), paper.max()) <= 1
        if fits and np.linalg.norm(ink - paper) > 0.45:
            break
    size = int(rng.integers(100, 250))
    alpha = np.zeros((350, 300, 1))
    top, left = (int(rng.integers(10, side - size - 10)) for side in (350, 300))
    alpha[top : top + size, left : left + size, 0] = pen(digit, size)
    levels = 255 * (paper * (1 - alpha) + ink * alpha) + rng.normal(0, 2, (350, 300, 3))
    return encoded(levels, *(("PNG",) if rng.random() < 0.5 else ("JPEG",)))


def thin_strokes(digit, rng):
    """A fine pen: the skeleton of the digit, one to four pixels of 200 wide."""
    size, wide = 200, int(rng.integers(1, 5))
    line = thinned(pen(digit, size) > 0.5)
    radius = np.hypot(*np.mgrid[-2:3, -2:3]) <= wide / 2
    ink = ndimage.gaussian_filter(ndimage.binary_dilation(line, radius).astype(float), 0.6)
    levels = np.pad(250 - 200 * np.clip(1.3 * ink, 0, 1), int(rng.integers(20, 80)), "edge")
    return encoded(levels + rng.normal(0, 2, levels.shape), "JPEG", quality=85)


def turned(degrees, digit, rng):
    size = int(rng.integers(100, 180))
    ink = np.pad(pen(digit, size), int(rng.integers(size // 3, size)))
    picture = Image.fromarray((250 - 220 * ink).astype(np.uint8))
    return encoded(picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250), "JPEG")


def turned_by_30(digit, rng):
    return turned(30 * rng.choice([-1, 1]), digit, rng)


def turned_by_180(digit, rng):
    return turned(180, digit, rng)


def row_of(digits, rng, low, high):
    """Place digits on a page, one after the other, with gaps between `low` and `high` sizes."""
    size = int(rng.integers(60, 110))
    ink, left = np.zeros((size * 3, size * (len(digits) + 3))), size
    for digit in digits:
        drawn = pen(digit, size)
        columns = np.flatnonzero((drawn > 0.5).any(axis=0))
        drawn = drawn[:, columns[0] : columns[-1] + 1]
        top = size + int(rng.integers(-size // 10, size // 10 + 1))
        place = ink[top : top + size, left : left + drawn.shape[1]]
        np.maximum(place, drawn, out=place)
        left += drawn.shape[1] + round(size * rng.uniform(low, high))
    levels = 240 - 210 * ink
    return encoded(levels + rng.normal(0, 3, levels.shape), "JPEG", quality=80)


def several(digits, rng):
    return row_of(digits, rng, 0.12, 0.5)


def touching(digits, rng):
    return row_of(digits, rng, -0.14, -0.06)


def letter(rng, half):
    """A letter of a font, slanted and warped a little, as a pen would write it."""
    names = ("DejaVuSans", "STIXGeneral") if half == 0 else ("DejaVuSerif-Italic", "cmss10")
    names = (*names, "DejaVuSansMono" if half == 0 else "DejaVuSans-Oblique")
    text = LETTERS[rng.integers(len(LETTERS))]
    font = ImageFont.truetype(FONTS / f"{names[rng.integers(len(names))]}.ttf", 170)
    picture = Image.new("L", (300, 300), 0)
    ImageDraw.Draw(picture).text((150, 150), text, 255, font, anchor="mm")
    return scribbled(picture, rng)


def scribbled(picture, rng):
    ink = np.asarray(picture, np.float32) / 255
    move = [8 * field / field.std() * 0.6 for field in _fields(rng, ink.shape)]
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(float)
    x += rng.uniform(-0.2, 0.2) * (y - 150)
    ink = ndimage.map_coordinates(ink, [y + move[0], x + move[1]], order=1)
    if (extra := int(rng.integers(0, 7))) > 0:
        ink = ndimage.grey_dilation(ink, (extra, extra))
    levels = 245 - 215 * np.clip(ink, 0, 1) + rng.normal(0, 3, ink.shape)
    return encoded(levels, "JPEG", quality=85)


def _fields(rng, shape):
    return (ndimage.gaussian_filter(rng.normal(size=shape), 28, truncate=2) for _ in range(2))


def other_shape(rng, half):
    """A smiley, a geometric shape or a sign, drawn with a pen."""
    name = SHAPES[rng.integers(len(SHAPES))]
    picture = Image.new("L", (300, 300), 0)
    draw, wide = ImageDraw.Draw(picture), int(rng.integers(6, 18))
    signs = {"hash": "#", "question": "?", "at": "@", "ampersand": "&"}
    if name in signs:
        kind = ("DejaVuSans", "DejaVuSerif")[half]
        font = ImageFont.truetype(FONTS / f"{kind}.ttf", 160)
        draw.text((150, 150), signs[name], 255, font, anchor="mm")
    elif name == "smiley":
        draw.ellipse((70, 70, 230, 230), outline=255, width=wide)
        for x in (115, 185):
            draw.ellipse((x - wide, 120 - wide, x + wide, 120 + wide), fill=255)
        draw.arc((105, 105, 195, 200), 20, 160, fill=255, width=wide)
    else:
        for line in _lines(name):
            draw.line([(150 + 90 * x, 150 + 90 * y) for x, y in line], 255, wide, joint="curve")
    return scribbled(picture, rng)


def _lines(name):
    t = np.linspace(0, 2 * np.pi, 60)
    star = [(math.sin(4 * np.pi * k / 5), -math.cos(4 * np.pi * k / 5)) for k in range(6)]
    lines = {
        "triangle": [[(0, -1), (1, 0.9), (-1, 0.9), (0, -1)]],
        "square": [[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9), (-0.9, -0.9)]],
        "star": [star],
        "heart": [
            list(
                zip(
                    np.sin(t) ** 3,
                    -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16,
                    strict=True,
                )
            )
        ],
        "arrow": [[(-1, 0), (1, 0)], [(0.4, -0.5), (1, 0), (0.4, 0.5)]],
        "cross": [[(-0.9, -0.9), (0.9, 0.9)], [(0.9, -0.9), (-0.9, 0.9)]],
        "plus": [[(0, -0.9), (0, 0.9)], [(-0.9, 0), (0.9, 0)]],
        "tick": [[(-0.8, 0.1), (-0.2, 0.8), (0.9, -0.9)]],
        "spiral": [[(0.16 * a * math.cos(2 * a), 0.16 * a * math.sin(2 * a)) for a in t]],
        "house": [[(-0.8, 1), (-0.8, -0.1), (0, -1), (0.8, -0.1), (0.8, 1), (-0.8, 1)]],
        "wave": [[(a / 3.2 - 1, 0.6 * math.sin(2 * a)) for a in t]],
        "stairs": [[(-1, 1), (-1, 0.3), (-0.3, 0.3), (-0.3, -0.4), (0.4, -0.4), (0.4, -1)]],
        "tree": [[(0, 1), (0, -0.4)], [(-0.8, -0.9), (0, 0.2), (0.8, -0.9)]],
    }
    return lines[name]


def perspective(placed, source):
    """Return the eight coefficients with which Pillow maps `placed` corners to `source`."""
    rows, values = [], []
    for (x, y), (u, v) in zip(placed, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values))


def thinned(mask):
    """Return the skeleton of a mask (Zhang & Suen 1984)."""
    mask = np.pad(mask, 1).astype(np.uint8)
    while True:
        before = mask.sum()
        for first in (True, False):
            ring = [
                np.roll(mask, move, (0, 1))
                for move in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            turns = sum((a == 0) & (b == 1) for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
            count = sum(each.astype(int) for each in ring)
            north, east, south, west = ring[::2]
            ends = (
                (north * east * south == 0) & (east * south * west == 0)
                if first
                else (north * east * west == 0) & (north * south * west == 0)
            )
            mask[(mask == 1) & (turns == 1) & (count >= 2) & (count <= 6) & ends] = 0
        if mask.sum() == before:
            return mask[1:-1, 1:-1] > 0
