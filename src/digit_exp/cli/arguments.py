"""Options that commands share: RUN, --uri, --json."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress

from digit_exp.registry import Range

RUN = (
    "a run's id or its first characters, a name, a folder, a checkpoint, 'latest', 'best' (in"
    " validation accuracy), or a sweep"
)
"""What may be typed for a run; `runs/saved/lookup.py` finds it."""


def add_run(parser: ArgumentParser) -> None:
    """Take one RUN."""
    parser.add_argument("run", metavar="RUN", help=f"{RUN} (its winner)")


def add_runs(parser: ArgumentParser) -> None:
    """Take one RUN or more."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help=f"{RUN} (all of its jobs)")


def add_store(parser: ArgumentParser) -> None:
    """Take the address of the MLflow store that has the runs."""
    parser.add_argument(
        "--uri",
        metavar="ADDRESS",
        help="the MLflow store: a database (sqlite:///runs.db) or a server (http://host:5000);"
        " default: MLFLOW_TRACKING_URI, or else mlruns/mlflow.db of this folder",
    )


def add_json(parser: ArgumentParser) -> None:
    """Let a program read the report."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON, in the shape of docs/commands.md"
    )


def number(
    kind: type[int] | type[float], least: int, most: int | None = None
) -> Callable[[str], float]:
    """Return what argparse reads a number with that is at least `least` and at most `most`."""
    noun = "a whole number" if kind is int else "a number"
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
    limits = Range(ge=least, le=most)

    def read(text: str) -> float:
        with suppress(ValueError):
            if (value := kind(text)) in limits:
                return value
        raise ArgumentTypeError(f"must be {noun} {allowed}, got {text!r}")

    return read
