"""Train a run again, and say whether it is the same to the bit.

Trains a run again with its configuration, seed, data and threads, and compares: what both were
made with, every metric of every epoch, the weights, the test predictions.

exit codes:
  0  bit-identical: every metric, every weight, every prediction
  3  within tolerance: not that, but the accuracies are near enough
  1  not reproduced
  2  it could not be tried: no such run, other data, a configuration that is not valid any more

The new run goes to outputs/reproductions/ and is not tracked, unless --track is given.
"""

import logging
import sys
from argparse import ArgumentParser, Namespace
from datetime import datetime
from pathlib import Path
from typing import TextIO

from digit_exp.cli.arguments import add_json, add_run, add_store, number
from digit_exp.cli.output import print_finding
from digit_exp.registry import ConfigError


def configure(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--tolerance",
        type=number(float, 0, 100),
        default=0.5,
        metavar="POINTS",
        help="how far validation and test accuracy may be apart, in percentage points, to be"
        " within tolerance (default: %(default)s)",
    )
    add_out(parser)
    parser.add_argument("--track", action="store_true", help="track the new run as the old one was")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.reproduce import reproduce

    original = Runs.of_folder(uri=options.uri).find(options.run)
    folder = new_folder(options.out)
    print(f"reproducing {original.label}", file=progress_to(options.json), flush=True)
    found = reproduce(original, folder, track=options.track, tolerance=options.tolerance / 100)
    print_finding(found, json=options.json)
    return found.verdict.value


def add_out(parser: ArgumentParser) -> None:
    """Take the folder of the new run."""
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder for the new run")


def new_folder(chosen: Path | None) -> Path:
    """Return the folder of the new run; raises ConfigError if it exists."""
    from digit_exp.runs.saved.lookup import OUTPUTS

    folder = chosen or OUTPUTS / "reproductions" / f"{datetime.now():%Y-%m-%d-%H-%M-%S-%f}"
    if folder.exists():
        raise ConfigError.at("--out", f"the folder {folder} exists already; name a new one")
    return folder


def progress_to(json: bool) -> TextIO:
    """Log the training to standard output, or beside JSON to standard error; return that stream."""
    stream = sys.stderr if json else sys.stdout
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=stream)
    return stream
