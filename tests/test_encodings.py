"""Terminals whose encoding lacks what is printed: every command, for several encodings."""

import os
import subprocess
import sys

import pytest
from PIL import Image

TINY = ["data=synthetic", "experiment=debug", "tracking=none"]
ASCII = {"PYTHONIOENCODING": "ascii"}


@pytest.fixture(scope="module")
def say(tmp_path_factory):
    """Run a command in one folder; return what it printed after checking that it went well."""
    folder = tmp_path_factory.mktemp("encodings")
    picture = Image.new("L", (80, 80), 255)
    picture.paste(0, (36, 15, 44, 65))
    picture.save(folder / "one.png")
    picture.save(os.fsencode(folder) + b"/\xff.png")

    def said(*words, encoding="ascii", **settings):
        environment = os.environ | {"PYTHONIOENCODING": encoding} | settings
        program = [sys.executable, "-m", "digit_exp", *words]
        done = subprocess.run(
            program, cwd=folder, env=environment, capture_output=True, timeout=240, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed.decode(errors="replace")
        for trouble in (b"Traceback", b"Logging error", b"UnicodeEncodeError"):
            assert trouble not in printed
        return done.stdout

    said(*TINY, "run_name=other", "seed=2", "model.hidden=[8]", encoding="cp1252")
    said(*TINY, 'run_name="caf\xe9 \u65e5\u672c"')
    return said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_help_compare_and_predict_print(say, encoding):
    assert b"digit-exp" in say("--help", encoding=encoding)
    compared = say("compare", "other", "caf\xe9 \u65e5\u672c", encoding=encoding)
    assert "caf\xe9".encode(encoding, "replace") in compared
    read = say("predict", "latest", "one.png", os.fsdecode(b"\xff.png"), encoding=encoding)
    assert b"\xff.png" in read


def test_a_sweep_prints(say):
    for encoding in ("ascii", "latin-1", "cp1252"):  # from the second on, the jobs were done before
        printed = say("-m", *TINY, "model.hidden=[8],[16]", encoding=encoding)
        assert b"[2/2]" in printed
        assert b"report.html" in printed


def test_a_locale_without_an_encoding_prints(say):
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    say("--help", encoding="", **settings)
    say("compare", "latest", "other", encoding="", **settings)
