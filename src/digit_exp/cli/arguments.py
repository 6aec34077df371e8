"""What the commands beside the main one have in common: their parsers, their errors, their exit.

python -m digit_exp.NAME RUN ... [--uri ADDRESS]
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable

from digit_exp.cli.output import lasting_output
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.runs.errors import INTERRUPTED
from digit_exp.runs.reuse.found_run import RunError
from digit_exp.tracking.base import TrackingError
from digit_exp.training.checkpoint import CheckpointError

USAGE_ERROR = 2
"""Exit code for what cannot be done as it was asked, as argparse has it."""

RUN = (
    "a run's id or the beginning of it, its name, its folder, a checkpoint, a sweep,"
    " 'latest' or 'best' (in validation accuracy)"
)
"""What may be typed for a run; `runs/reuse/lookup.py` understands it."""


def command_parser(name: str, description: str, epilog: str = "") -> ArgumentParser:
    """Return the parser of `python -m digit_exp.NAME`; texts keep their line breaks."""
    return ArgumentParser(
        prog=f"python -m digit_exp.{name}",
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
    )


def add_store(parser: ArgumentParser) -> None:
    """Let a person say in which MLflow store the runs are."""
    parser.add_argument(
        "--uri",
        metavar="ADDRESS",
        help="the MLflow store: a database (sqlite:///runs.db) or a server (http://host:5000);"
        " default: MLFLOW_TRACKING_URI, or else mlruns/mlflow.db of this folder",
    )


def guarded(work: Callable[[], int]) -> int:
    """Return the exit code of `work`; an error that is for people is printed, without traceback."""
    with lasting_output():
        try:
            return work()
        except ConfigError as error:
            print(*error.problems, sep="\n", file=sys.stderr)
        except (RunError, TrackingError, CheckpointError, DataError) as error:
            print(error, file=sys.stderr)
        except OSError as error:
            if error.filename is None:
                raise
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        except KeyboardInterrupt:
            return INTERRUPTED
        return USAGE_ERROR
