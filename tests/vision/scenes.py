"""Pictures of MNIST digits as people have them: scans, photos, drawings."""

import io

import numpy as np
from PIL import Image, ImageFilter

from digit_exp.data.sources import Mnist

DIGITS = Mnist().load().test


def encoded(picture, kind="PNG", **options):
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pen(digit, size):
    """Ink in [0, 1] with the hard edge of a pen, shape `(size, size)`."""
    large = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    hard = large.point(lambda level: 255 if level > 115 else 0)
    return np.asarray(hard.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255


def page(digit, rng, height=450, width=350, size=150):
    ink = np.zeros((height, width), np.float32)
    top, left = rng.integers(0, height - size + 1), rng.integers(0, width - size + 1)
    ink[top : top + size, left : left + size] = pen(digit, size)
    return ink


def lamp(shape, rng, strength):
    """Light that falls off to one side, and to the corners."""
    y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x + np.sin(angle) * y
    slope = (slope - slope.min()) / np.ptp(slope)
    return (1 - strength * slope) * (1 - 0.3 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))


def as_stored(digit, rng):
    return encoded(digit)


def scan(digit, rng):
    return encoded(250 - 220 * page(digit, rng), "JPEG", quality=80)


def light_on_dark(digit, rng):
    return encoded(15 + 225 * page(digit, rng))


def photo(digit, rng, contrast=0.75, **size):
    ink = page(digit, rng, **size)
    light = 255 * 0.85 * lamp(ink.shape, rng, 0.55) * (1 - contrast * ink)
    noisy = np.clip(light + rng.normal(0, 6, ink.shape), 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(1)), "JPEG", quality=75)


def pencil(digit, rng):
    return photo(digit, rng, contrast=0.3)


def small_on_a_large_page(digit, rng):
    return photo(digit, rng, height=900, width=700, size=80)


def shadow(digit, rng):
    ink = page(digit, rng)
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]]
    dark = np.where(x + 0.4 * y > rng.uniform(150, 400), 150, 250).astype(np.uint8)
    light = np.asarray(Image.fromarray(dark).filter(ImageFilter.GaussianBlur(10)), np.float32)
    return encoded(light * (1 - 0.8 * ink))


def black_on_transparent(digit, rng):
    ink = page(digit, rng)
    return encoded(np.stack([0 * ink, 0 * ink, 0 * ink, 255 * ink], axis=-1))


def white_on_transparent(digit, rng):
    ink = page(digit, rng)
    full = np.full_like(ink, 255)
    return encoded(np.stack([full, full, full, 255 * ink], axis=-1))


def palette(digit, rng):
    picture = Image.fromarray((250 - 220 * page(digit, rng)).astype(np.uint8))
    return encoded(picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=16), "GIF")


def sixteen_bits(digit, rng):
    return encoded(Image.fromarray((23_000 - 20_000 * page(digit, rng)).astype(np.uint16)))


def turned_by_the_camera(digit, rng):
    lying = Image.fromarray((250 - 220 * page(digit, rng)).astype(np.uint8)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(lying, "JPEG", exif=exif)


def cropped(digit, rng):
    ink = pen(digit, 150)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    return encoded(250 - 220 * ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def framed_by_the_scanner(digit, rng):
    return encoded(np.pad(250 - 220 * page(digit, rng), ((4, 0), (0, 15)), constant_values=10))


SCENES = [
    *(as_stored, scan, light_on_dark, photo, pencil, shadow, black_on_transparent),
    *(white_on_transparent, palette, sixteen_bits, turned_by_the_camera, cropped),
    framed_by_the_scanner,
    small_on_a_large_page,
]
