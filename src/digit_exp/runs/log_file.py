"""The log file of a run. If the disk is full, one message replaces a traceback per line."""

from __future__ import annotations

import logging
import sys


class LogFile(logging.FileHandler):
    """A file handler that reports on the terminal, once, that its file cannot be written."""

    is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Report an error of the file system once; others are mistakes in a log call."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.is_broken:
            self.is_broken = True
            print(f"cannot write to the log {self.baseFilename}: {error.strerror}", file=sys.stderr)
