"""Decodes a picture file to grey levels; refuses damaged, unsupported and oversized files.

Knows nothing of digits. The result is an array of floats in [0, 1], black to white, whose longer
side has at most `MAX_SIDE` pixels: enough for a digit, and a limit for all later work.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .colour import Grey as Grey
from .colour import grey, scaled

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
"""Files of a folder that count as pictures."""
UNREAD = (".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".ico", ".dng")
"""Pictures that cannot be read, which is said of each rather than leaving it out."""
MAX_BYTES = 50_000_000
MAX_PIXELS = 50_000_000
"""A large phone photo has as many; a file of a few kilobytes can claim many more."""

MAX_SIDE = 1024

DECODER_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError),
    *(AttributeError, OverflowError, MemoryError, struct.error),
)
"""What Pillow's decoders raise for a damaged file."""


class PictureError(ValueError):
    """A file that cannot be decoded to a picture; the message says why."""


def decode(data: bytes) -> Grey:
    """Return the grey levels of an encoded picture, upright and without transparency.

    Raises PictureError if it cannot be decoded or is too large.
    """
    if len(data) > MAX_BYTES:
        raise PictureError(f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(
                    f"it has {width} × {height} pixels; at most {MAX_PIXELS:,} are allowed"
                )
            image.draft(None, (MAX_SIDE, MAX_SIDE))  # a JPEG is then decoded at a smaller size
            ImageOps.exif_transpose(image, in_place=True)
            return _levels(image)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        *others, last = FORMATS
        known = f"{', '.join(others)} or {last}"
        raise PictureError(f"unsupported format; use {known}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"it has more than {MAX_PIXELS:,} pixels") from error
    except DECODER_ERRORS as error:
        raise PictureError(f"the file is damaged ({error or type(error).__name__})") from error


def _levels(image: Image.Image) -> Grey:
    if image.mode.startswith(("I", "F")):  # 16 bits or floats: of any range
        return _spread(_small(Image.fromarray(np.asarray(image).astype(np.float32))))
    if image.has_transparency_data:
        return _on_paper(_small(image.convert("RGBA")))
    return grey(_small(image if image.mode == "L" else image.convert("RGB")))


def shrink(levels: Grey, max_side: int) -> Grey:
    """Return the levels with a longer side of at most `max_side` pixels."""
    if max(levels.shape) <= max_side:
        return levels
    return np.asarray(_small(Image.fromarray(np.ascontiguousarray(levels)), max_side))


def _small(image: Image.Image, max_side: int = MAX_SIDE) -> Image.Image:
    """Average neighbouring pixels until the longer side fits."""
    scale = max_side / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)


def _spread(image: Image.Image) -> Grey:
    levels = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    low, high = float(levels.min()), float(levels.max())
    spread: Grey = (levels - low) / np.float32(max(high - low, 1e-6))
    return spread


def _on_paper(image: Image.Image) -> Grey:
    """Put a picture on paper: black or white for contrast, its own grey if it is mostly opaque."""
    levels = scaled(image.convert("RGB").convert("L"))
    alpha = np.asarray(image.getchannel("A"), np.float32) / np.float32(255)
    seen = float(alpha.sum())
    if seen == 0:
        return np.ones_like(levels)
    mean = float((levels * alpha).sum()) / seen
    paper = float(np.median(levels[alpha > 0.5])) if alpha.mean() > 0.5 else float(mean < 0.5)
    laid: Grey = levels * alpha + np.float32(paper) * (1 - alpha)
    return laid
