"""The log of a run, which a full disk cuts off and does not turn into a stream of tracebacks."""

from __future__ import annotations

import logging
import sys


class LogFile(logging.FileHandler):
    """A file that says once, on the terminal, that it can no longer be written."""

    is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Answer an error of the file system; any other is a mistake in a message."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.is_broken:
            self.is_broken = True
            print(f"the log {self.baseFilename} is cut off: {error.strerror}", file=sys.stderr)
