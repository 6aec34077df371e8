"""Colours in a terminal: the best epoch, the winner, errors. None in files, pipes and NO_COLOR."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

RED, GREEN, YELLOW = "31", "32", "33"

LEVELS = {logging.WARNING: YELLOW, logging.ERROR: RED, logging.CRITICAL: RED}


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """Return a text as `stream` shows it in a colour, if it is a terminal that has any."""
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    if is_plain or not text or not stream.isatty():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


class ConsoleFormatter(logging.Formatter):
    """Formats what is logged for standard output; a record may say its `colour`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, in the colour of its level or its own."""
        colour = getattr(record, "colour", None) or LEVELS.get(record.levelno)
        text = super().format(record)
        return text if colour is None else coloured(text, colour, sys.stdout)
