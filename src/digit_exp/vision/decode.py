"""From the bytes of a file to grey levels, whatever kind of picture it is, unless it is hostile.

Knows nothing of digits. Every picture becomes an array of floats in [0, 1], black to white, whose
longer side has at most `LONGEST` pixels: enough for a digit, and a bound for all that follows.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Grey = NDArray[np.float32]
"""Light, shape `(height, width)`."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 50_000_000
MOST_PIXELS = 50_000_000
"""As many as a large phone photo has; a file of a few kilobytes can claim many more."""

LONGEST = 1024

DAMAGE = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError),
    *(AttributeError, OverflowError, MemoryError, struct.error),
)
"""What Pillow's decoders raise for a file that is not what it says."""


class PictureError(ValueError):
    """A file that is not a picture, or not one that may be opened; the message says why."""


def grey(data: bytes) -> Grey:
    """Return the grey levels of an encoded picture, upright and with transparency resolved.

    Raises PictureError for what cannot be decoded or is too large.
    """
    if len(data) > MOST_BYTES:
        raise PictureError(f"it has {len(data):,} bytes; at most {MOST_BYTES:,} are read")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise PictureError(
                    f"it has {width} × {height} pixels; at most {MOST_PIXELS:,} are read"
                )
            image.draft(None, (LONGEST, LONGEST))  # a JPEG is then decoded in a smaller size
            ImageOps.exif_transpose(image, in_place=True)
            return _levels(image)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise PictureError(f"it is no picture of a kind that is read ({known})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"it has far more than {MOST_PIXELS:,} pixels") from error
    except DAMAGE as error:
        raise PictureError(f"it is damaged ({error or type(error).__name__})") from error


def _levels(image: Image.Image) -> Grey:
    if image.mode.startswith(("I", "F")):  # 16 bits a pixel, or floats: whatever range they use
        return _spread(_small(Image.fromarray(np.asarray(image).astype(np.float32))))
    if image.has_transparency_data:
        return _on_paper(_small(image.convert("RGBA")))
    return _scaled(_small(image.convert("L")))


def reduced(levels: Grey, longest: int) -> Grey:
    """Return the levels with a longer side of at most `longest` pixels."""
    if max(levels.shape) <= longest:
        return levels
    return np.asarray(_small(Image.fromarray(np.ascontiguousarray(levels)), longest))


def _small(image: Image.Image, longest: int = LONGEST) -> Image.Image:
    """Average neighbouring pixels until the longer side fits."""
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)


def _scaled(image: Image.Image) -> Grey:
    levels: Grey = np.asarray(image, np.float32) / np.float32(255)
    return levels


def _spread(image: Image.Image) -> Grey:
    levels = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    low, high = float(levels.min()), float(levels.max())
    spread: Grey = (levels - low) / np.float32(max(high - low, 1e-6))
    return spread


def _on_paper(image: Image.Image) -> Grey:
    """Lay what is visible on a paper of its own: ink on a contrast, a card on more of itself."""
    levels = _scaled(image.convert("RGB").convert("L"))
    alpha = np.asarray(image.getchannel("A"), np.float32) / np.float32(255)
    seen = float(alpha.sum())
    if seen == 0:
        return np.ones_like(levels)
    mean = float((levels * alpha).sum()) / seen
    paper = float(np.median(levels[alpha > 0.5])) if alpha.mean() > 0.5 else float(mean < 0.5)
    laid: Grey = levels * alpha + np.float32(paper) * (1 - alpha)
    return laid
