"""The log file of a run. If the disk is full, one message replaces a traceback per line."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def logging_to(file: Path) -> Iterator[None]:
    """Write the log to a file of its own, as Hydra does for the command."""
    handler = LogFile(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


@contextmanager
def info_level() -> Iterator[None]:
    """Let what runs log at the level INFO reach their files, whatever the process shows."""
    logger = logging.getLogger("digit_exp")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
