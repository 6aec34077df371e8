"""Files of all kinds become grey levels, and none of them more than its bytes should cost."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scenes import encoded

import digit_exp.vision.decode
from digit_exp.vision.decode import MAX_SIDE, PictureError, decode

RAMP = np.arange(0, 240, 4, dtype=np.uint8)[None].repeat(40, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_light_is_light_in_every_mode(mode):
    image = Image.fromarray(np.where(RAMP > 120, 255, 0).astype(np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    levels = decode(encoded(image.convert(mode)))
    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, RAMP > 120, atol=1e-6)


def test_a_large_picture_is_made_small():
    assert decode(encoded(np.zeros((900, 1800)))).shape == (MAX_SIDE // 2, MAX_SIDE)
    assert decode(encoded(np.zeros((3, 5000)))).shape == (1, MAX_SIDE)


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, data=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rest = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest


@pytest.mark.parametrize("side", [8_000, 11_000, 60_000])
def test_a_picture_that_claims_too_many_pixels_is_not_decoded(side):
    with pytest.raises(PictureError, match="50,000,000"):
        decode(png(side, side))


def test_a_file_of_too_many_bytes_is_not_opened(monkeypatch):
    monkeypatch.setattr(digit_exp.vision.decode, "MAX_BYTES", 100)
    with pytest.raises(PictureError, match="bytes"):
        decode(encoded(np.random.default_rng(0).random((40, 40)) * 255))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"%!PS-Adobe", b"<svg/>", b"P5 2 2 255 1234"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(PictureError, match="unsupported format; use PNG"):
        decode(data)


def test_a_picture_that_is_cut_off_is_refused():
    whole = encoded(np.random.default_rng(0).random((90, 90)) * 255, "JPEG")
    with pytest.raises(PictureError, match="damaged"):
        decode(whole[: len(whole) // 2])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6),
)
def test_a_damaged_file_is_read_or_refused(kind, changes):
    data = bytearray(encoded(RAMP, kind))
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        levels = decode(bytes(data))
    except PictureError:
        return
    assert np.isfinite(levels).all()
    assert levels.min() >= 0
    assert levels.max() <= 1
