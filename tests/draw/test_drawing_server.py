"""The server of the page: the numbers of `predict`, and what it refuses."""

import base64
import http.client
import json
import re
import struct
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from drawn_runs import picture, served, trained

import digit_exp.draw
from digit_exp.cli.entry import main
from digit_exp.draw.server import MOST_BYTES, DrawnRun
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.predict import Predictor

STATIC = Path(digit_exp.draw.__file__).parent / "static"
SEVEN = picture(7)
SYNTHETIC = {"name": "synthetic", "samples": 200, "test_samples": 50, "val_ratio": 0.2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return [
        trained(folder / "plain"),
        trained(folder / "averaged", model={"shifts": 1, "batch_norm": True}),
        trained(folder / "small", data={**SYNTHETIC, "height": 20, "width": 20}),
    ]


@pytest.fixture(scope="module")
def address(runs):
    with served(*runs) as address:
        yield address


def ask(address, path, data=None, **headers):
    """Return status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        method = "GET" if data is None else "POST"
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def array(sent):
    values = np.frombuffer(base64.b64decode(sent["data"]), "<f4")
    return values.reshape(sent["shape"])


def test_the_page_shows_the_numbers_of_predict_for_every_run(address, runs):
    status, _, body = ask(address, "/api/read?run=1&target=4", SEVEN)
    assert status == 200
    found = json.loads(body)
    for run, result in zip(runs, found["results"], strict=True):
        same = Predictor.of(run).predict("the drawing", SEVEN)
        assert {k: v for k, v in result.items() if k != "seen"} == same.plain()
        np.testing.assert_array_equal(array(result["seen"]), same.seen)
    assert found["why"]["target"] == 4


def test_without_a_class_the_second_most_likely_one_is_explained(address):
    found = json.loads(ask(address, "/api/read", SEVEN)[2])
    order = np.argsort(found["results"][0]["probabilities"])
    assert found["why"]["target"] == order[-2]


def test_a_picture_without_a_digit_gets_its_reason_and_no_explanation(address):
    status, _, body = ask(address, "/api/read", b"no picture")
    found = json.loads(body)
    assert status == 200
    assert "unsupported format" in found["results"][0]["problem"]
    assert found["why"] is None


def test_a_training_image_goes_through_the_step(address, runs):
    found = json.loads(ask(address, "/api/step?run=0&image=3")[2])
    images = DrawnRun.of(runs[0]).training_images
    assert found["images"] == len(images)
    assert found["label"] == images.labels[3]
    first = found["stages"][0]["pictures"][0]
    shown = np.rint(array(first["values"])[0] * 255)
    np.testing.assert_array_equal(shown, images.images[images.rows[3]])


def test_numbers_that_do_not_exist_are_refused_with_those_that_do(address):
    for path, data, named in (
        ("/api/read?run=3", SEVEN, "0 to 2"),
        ("/api/read?target=10", SEVEN, "0 to 9"),
        ("/api/step?image=100000", None, "0 to 159"),
        ("/api/step?image=-1", None, "0 to 159"),
    ):
        status, _, body = ask(address, path, data)
        assert status == 404
        assert named in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", ""]
)
def test_a_request_under_another_name_is_refused(address, host):
    status, _, body = ask(address, "/", Host=host)
    assert status == 403
    assert urlsplit(address).netloc in json.loads(body)["detail"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_a_request_of_another_page_is_refused(address, origin):
    for path, data in (("/api/read", SEVEN), ("/api/step", None)):
        status, headers, body = ask(address, path, data, Origin=origin)
        assert status == 403
        assert repr(origin) in json.loads(body)["detail"]
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_the_page_itself_may_ask_by_both_names_of_this_machine(address):
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{urlsplit(address).port}"
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert ask(address, "/api/read", SEVEN, **headers)[0] == 200


def test_what_is_sent_is_bounded(address):
    status, _, body = ask(address, "/api/read", bytes(MOST_BYTES + 1))
    assert status == 413
    assert f"{MOST_BYTES:,}" in json.loads(body)["detail"]
    pieces = iter([bytes(MOST_BYTES // 2)] * 3)  # nobody says beforehand how many bytes there are
    assert ask(address, "/api/read", pieces)[0] == 413


def test_a_picture_of_too_many_pixels_is_refused_unread(address):
    header = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data)
    ]
    body = ask(address, "/api/read", b"\x89PNG\r\n\x1a\n" + b"".join(parts))[2]
    assert "50,000,000 pixels" in json.loads(body)["results"][0]["problem"]


def test_every_file_is_there_and_none_comes_from_elsewhere(address):
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
    for file in STATIC.iterdir():
        path = "/" if file.suffix == ".html" else f"/{file.name}"
        status, headers, body = ask(address, path)
        assert status == 200
        assert body == file.read_bytes()
        assert headers["Content-Type"].startswith(kinds.get(file.suffix, "image/"))
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        addresses = re.findall(r"https?://[\w./]+", file.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}  # a name, nothing is fetched


def test_the_documentation_of_the_server_is_not_published(address):
    assert ask(address, "/docs")[0] == ask(address, "/openapi.json")[0] == 404


def test_runs_that_cannot_be_shown_are_refused_with_a_sentence(tmp_path, monkeypatch, capsys):
    large = trained(tmp_path / "large", data={**SYNTHETIC, "height": 129, "width": 129})
    with pytest.raises(RunError, match="129 × 129"):
        DrawnRun.of(large)
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *["large"] * 5]) == 2
    assert "at most 4 runs, got 5" in capsys.readouterr().err


def test_the_command_serves_until_ctrl_c(runs, command, tmp_path):
    code, printed = command.interrupt(
        tmp_path, "draw", str(runs[0].folder), "--no-browser", "--port", "0", after="(Ctrl-C"
    )
    assert code == 0
    assert re.match(r"http://127\.0\.0\.1:\d+\n", printed)
    assert printed.endswith("stopped\n")
