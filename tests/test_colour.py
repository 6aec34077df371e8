"""Colours are for terminals, and not for those who do not want them."""

import io
import logging

import pytest

from digit_exp.colour import GREEN, RED, ConsoleFormatter, coloured


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _usual(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_only_a_terminal_gets_colours(monkeypatch):
    assert coloured("winner", GREEN, Terminal()) == "\x1b[32mwinner\x1b[0m"
    assert coloured("winner", GREEN, io.StringIO()) == "winner"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("winner", GREEN, Terminal()) == "winner"


@pytest.mark.parametrize(
    ("level", "extra", "code"),
    [(logging.ERROR, {}, RED), (logging.INFO, {"colour": GREEN}, GREEN), (logging.INFO, {}, None)],
)
def test_errors_and_the_best_epoch_are_coloured_on_the_console(monkeypatch, level, extra, code):
    monkeypatch.setattr("sys.stdout", Terminal())
    record = logging.makeLogRecord({"msg": "line", "levelno": level, **extra})
    shown = ConsoleFormatter("%(message)s").format(record)
    assert shown == ("line" if code is None else f"\x1b[{code}mline\x1b[0m")
