"""Terminals whose encoding lacks what is printed: every command, for several encodings."""

import os

import pytest
from PIL import Image

TINY = ["data=synthetic", "experiment=debug", "tracking=none"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, command):
    """The folder of two runs and of pictures to be read."""
    folder = tmp_path_factory.mktemp("encodings")
    picture = Image.new("L", (80, 80), 255)
    picture.paste(0, (36, 15, 44, 65))
    picture.save(folder / "one.png")
    picture.save(os.fsencode(folder) + b"/\xff.png")
    run(command, folder, *TINY, "run_name=other", "model.hidden=[8]", encoding="cp1252")
    run(command, folder, *TINY, 'run_name="caf\xe9 \u65e5\u672c"')
    return folder


def run(command, folder, *words, encoding="ascii", **settings):
    """Return what a command prints, after checking that it went well."""
    done = command.run(folder, *words, PYTHONIOENCODING=encoding, **settings)
    for trouble in ("Traceback", "Logging error", "UnicodeEncodeError"):
        assert trouble not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_help_compare_and_predict_print(command, folder, encoding):
    assert "digit-exp" in run(command, folder, "--help", encoding=encoding)
    compared = run(command, folder, "compare", "other", "caf\xe9 \u65e5\u672c", encoding=encoding)
    assert "caf\xe9".encode(encoding, "replace").decode(encoding) in compared
    pictures = ("one.png", os.fsdecode(b"\xff.png"))
    read = run(command, folder, "predict", "latest", *pictures, encoding=encoding)
    assert b"\xff.png" in read.encode(encoding, "surrogateescape")


def test_a_sweep_prints(command, folder):
    for encoding in ("ascii", "cp1252"):  # the second time, the jobs were done before
        printed = run(command, folder, "-m", *TINY, "model.hidden=[8],[16]", encoding=encoding)
        assert "[2/2]" in printed
        assert "report.html" in printed


def test_a_locale_without_an_encoding_prints(fresh_command, folder):
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run(fresh_command, folder, "compare", "latest", "other", encoding="", **settings)
