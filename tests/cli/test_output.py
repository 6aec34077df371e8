import json
import math
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from digit_exp.cli.output import lasting_output, print_json

FULL = Path("/dev/full")
PRINTS = """
import logging, sys
from digit_exp.cli.output import lasting_output, print_json

with lasting_output():
    logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
    for number in range(3):
        print(number)
        logging.info("logged")
    sys.exit(7)
"""
BOTH = PRINTS.replace("print(number)", "print(number), print(number, file=sys.stderr)")

SIGNALLED = """
import sys
from digit_exp.cli.output import lasting_output

def as_a_signal_would(frame, event, argument):
    if event == "return" and frame.f_code.co_qualname.endswith("_Output.write"):
        sys.setprofile(None)
        raise KeyboardInterrupt

with lasting_output():
    sys.setprofile(as_a_signal_would)
    try:
        print("once")
    except KeyboardInterrupt:
        print("interrupted")
"""


def run(output, errors=subprocess.PIPE, program=PRINTS):
    return subprocess.run([sys.executable, "-c", program], stdout=output, stderr=errors, text=True)


def test_what_is_printed_arrives_as_it_is_printed():
    done = run(subprocess.PIPE)
    assert done.stdout.split() == ["0", "logged", "1", "logged", "2", "logged"]
    assert (done.returncode, done.stderr) == (7, "")


def test_a_signal_that_comes_when_a_line_is_just_written_does_not_write_it_twice():
    assert run(subprocess.PIPE, program=SIGNALLED).stdout.split() == ["once", "interrupted"]


def test_a_pipe_that_nobody_reads_any_more_ends_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    done = run(writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_an_output_on_a_full_disk_is_told_once():
    with FULL.open("w") as full:
        done = run(full)
    assert done.returncode == 7
    assert done.stderr == "the output is cut off: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_errors_on_a_full_disk_end_nothing_though_they_cannot_be_told():
    with FULL.open("w") as full:
        assert run(full, full, BOTH).returncode == 7


def test_a_terminal_that_was_closed_ends_nothing():
    ours, theirs = pty.openpty()
    os.close(ours)
    assert run(theirs, theirs, BOTH).returncode == 7
    os.close(theirs)


def test_streams_are_what_they_were_afterwards(capfd):
    before = sys.stdout, sys.stderr
    with lasting_output():
        print("inside")
    assert (sys.stdout, sys.stderr) == before
    assert capfd.readouterr().out == "inside\n"


def test_a_terminal_without_a_character_gets_another_in_its_place():
    done = subprocess.run(
        [sys.executable, "-c", PRINTS.replace("print(number)", "print('─ £')")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (7, b"")
    assert b"- ?\n" in done.stdout


def test_what_is_not_finite_is_null_in_json(capsys):
    print_json({"loss": [math.nan, 1.5, math.inf]})
    assert json.loads(capsys.readouterr().out) == {"loss": [None, 1.5, None]}


CLOSED = """
import os, sys
from digit_exp.cli.output import lasting_output
with lasting_output():
    print("to nobody")
    print("to nobody", file=sys.stderr)
    assert os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT) > 2
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_were_closed_before_the_start_end_nothing(tmp_path, closed):
    file = tmp_path / "first"
    shell = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-c", CLOSED, str(file)]
    assert subprocess.run(shell, check=False, stdout=subprocess.DEVNULL).returncode == 0
    assert file.read_bytes() == b""
