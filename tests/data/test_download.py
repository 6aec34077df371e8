import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from digit_exp.data import download
from digit_exp.data.download import cache_folder, fetch
from digit_exp.data.idx import DataError

NAME = "images.gz"
CONTENT = np.random.default_rng(0).integers(0, 64, 50_000, np.uint8).tobytes()
ARCHIVE = gzip.compress(CONTENT)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
SENT = 2 * download.CHUNK  # bytes that a mirror sends before it breaks off
ADVICE = r"data\.dir=FOLDER"


class Mirror:
    """A web server on this machine that can be made to misbehave."""

    def __init__(self):
        self.body = ARCHIVE
        self.status = 200
        self.knows_ranges = True
        self.breaks_after = []  # how many bytes each of the next answers is cut off after
        self.asked = []  # the Range header of every request
        self.hangs, self.closing = threading.Event(), threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.hangs.is_set() and self.closing.wait(20):
            return
        body, status, span = self.body, self.status, None
        if status == 200 and wanted and self.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                status, body = 416, b""
            else:
                span = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        if span:
            request.send_header("Content-Range", span)
        request.end_headers()
        request.wfile.write(body[: self.breaks_after.pop(0)] if self.breaks_after else body)

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirrors(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    two = [Mirror(), Mirror()]
    yield two
    for mirror in two:
        mirror.close()


@pytest.fixture
def get(mirrors, tmp_path):
    """Fetch from both mirrors, in order."""

    def get():
        return fetch(NAME, [mirror.address for mirror in mirrors], SHA256, tmp_path / "cache")

    return get


def kept(tmp_path, pattern="*"):
    """Return the names of the files in the cache, without locks."""
    return [f.name for f in (tmp_path / "cache").glob(pattern) if f.suffix != ".lock"]


def test_a_file_arrives_under_its_name(get, tmp_path):
    path = get()
    assert path == tmp_path / "cache" / NAME
    assert path.read_bytes() == ARCHIVE
    assert kept(tmp_path) == [NAME]


def test_a_file_that_is_there_is_not_downloaded_again(get, mirrors):
    get()
    get()
    assert mirrors[0].asked == [None]


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(get):
    get().write_bytes(b"damaged")
    assert get().read_bytes() == ARCHIVE


def test_an_interrupted_transfer_continues(get, mirrors):
    mirrors[0].breaks_after = [SENT]
    mirrors[1].status = 404
    assert get().read_bytes() == ARCHIVE
    assert mirrors[0].asked == [None, f"bytes={SENT}-"]


def test_another_mirror_continues_what_one_began(get, mirrors, tmp_path):
    mirrors[0].breaks_after = [SENT]
    assert get().read_bytes() == ARCHIVE
    assert [mirror.asked for mirror in mirrors] == [[None], [f"bytes={SENT}-"]]
    assert kept(tmp_path) == [NAME]


def interrupt(get, mirrors, tmp_path):
    """Leave a part of the file in the cache and return it."""
    mirrors[0].breaks_after = [SENT, 0]
    mirrors[1].status = 404
    with pytest.raises(DataError, match="what arrived is kept"):
        get()
    (part,) = kept(tmp_path)
    mirrors[0].asked.clear()
    return tmp_path / "cache" / part


def test_a_later_call_continues_what_an_earlier_one_began(get, mirrors, tmp_path):
    interrupt(get, mirrors, tmp_path)
    assert get().read_bytes() == ARCHIVE
    assert mirrors[0].asked == [f"bytes={SENT}-"]
    assert kept(tmp_path) == [NAME]


def test_a_server_that_knows_no_ranges_sends_all_again(get, mirrors, tmp_path):
    interrupt(get, mirrors, tmp_path)
    mirrors[0].knows_ranges = False
    assert get().read_bytes() == ARCHIVE
    assert len(mirrors[0].asked) == 1


@pytest.mark.parametrize("start", [b"from another file", b"longer than the file" * len(ARCHIVE)])
def test_a_part_of_something_else_is_replaced(get, mirrors, tmp_path, start):
    interrupt(get, mirrors, tmp_path).write_bytes(start)
    assert get().read_bytes() == ARCHIVE
    assert kept(tmp_path) == [NAME]


def test_a_part_that_is_complete_is_taken(get, mirrors, tmp_path):
    interrupt(get, mirrors, tmp_path).write_bytes(ARCHIVE)  # as if killed before the last step
    assert get().read_bytes() == ARCHIVE
    assert mirrors[0].asked == [f"bytes={len(ARCHIVE)}-"]


def test_the_next_mirror_is_asked_when_one_has_not_the_file(get, mirrors):
    mirrors[0].status = 404
    assert get().read_bytes() == ARCHIVE
    assert [len(mirror.asked) for mirror in mirrors] == [1, 1]


def test_the_next_mirror_is_asked_when_one_is_not_there(get, mirrors):
    mirrors[0].close()
    assert get().read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html>Sign in to the network</html>",
        gzip.compress(CONTENT[1:]),
        ARCHIVE[:-20],
        b"",
    ],
    ids=["a web page", "another content", "truncated at the source", "nothing"],
)
def test_a_file_with_a_wrong_checksum_is_not_kept(get, mirrors, tmp_path, body):
    for mirror in mirrors:
        mirror.body = body
    with pytest.raises(DataError, match="checksum is wrong"):
        get()
    assert kept(tmp_path) == []


def test_the_error_names_every_mirror_and_what_to_do(get, mirrors):
    mirrors[0].status = 404
    mirrors[1].body = b"nonsense"
    with pytest.raises(DataError, match=ADVICE) as refusal:
        get()
    name, first, second, _ = str(refusal.value).splitlines()
    assert NAME in name
    assert first.startswith(f"  {mirrors[0].address}{NAME}: 404")
    assert second.startswith(f"  {mirrors[1].address}{NAME}: ")
    assert "checksum is wrong" in second


def test_no_more_is_taken_than_a_file_can_have(get, mirrors, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "MAX_BYTES", SENT)
    with pytest.raises(DataError, match="checksum is wrong"):
        get()
    assert kept(tmp_path) == []


def test_a_server_that_hangs_is_given_up(get, mirrors, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    mirrors[0].hangs.set()
    assert get().read_bytes() == ARCHIVE
    assert [len(mirror.asked) for mirror in mirrors] == [1, 1]


def test_two_at_once_download_a_file_once(get, mirrors):
    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mirrors[0].asked == [None]


def test_a_cache_that_cannot_be_written_is_named_with_a_way_out(tmp_path):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(DataError, match="set DIGIT_EXP_CACHE") as refusal:
        fetch(NAME, [], SHA256, tmp_path / "cache")
    assert str(tmp_path / "cache") in str(refusal.value)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DIGIT_EXP_CACHE": "/data"}, "/data/kmnist"),
        ({"DIGIT_EXP_CACHE": "/data", "XDG_CACHE_HOME": "/xdg"}, "/data/kmnist"),
        ({"DIGIT_EXP_CACHE": "~/data"}, "/home/ada/data/kmnist"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/digit_exp/kmnist"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/digit_exp/kmnist"),
        ({}, "/home/ada/.cache/digit_exp/kmnist"),
    ],
)
def test_the_cache_folder_is_the_one_the_environment_asks_for(monkeypatch, variables, expected):
    for name in ("DIGIT_EXP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/ada", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder("kmnist") == Path(expected)
