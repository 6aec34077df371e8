"""Make one model of several runs: the mean of their probabilities.

Makes one model of the networks of several runs: it answers with the mean of their probabilities.
It is a run of its own, calibrated and tested like any other, so predict, draw and promote take it.
A table says what each member adds. Members share their data set and validation images: train them
with one data.split_seed.

Examples:
  digit-exp committee 7f3a 09bc 41d2
  digit-exp committee my-sweep --best 3 --name three    the best three jobs of a sweep

Exit code 0 if the committee was made, 1 if that failed, 2 if the runs do not fit together.
"""

import logging
import sys
from argparse import ArgumentParser, Namespace
from datetime import datetime

from digit_exp.cli.arguments import add_json, add_runs, add_store, number
from digit_exp.cli.exit_codes import SUCCESS
from digit_exp.cli.output import print_finding


def configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--best",
        type=number(int, 2),
        metavar="K",
        help="take the K runs of the best validation accuracy",
    )
    parser.add_argument("--name", help="the name of the new run (default: committee of N)")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.committee import best_of, make_committee
    from digit_exp.runs.saved.lookup import OUTPUTS, Runs

    runs = Runs.of_folder(uri=options.uri)
    found = runs.all_of(options.runs)
    members = found if options.best is None else best_of(found, options.best)
    folder = OUTPUTS / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    print_finding(make_committee(members, folder, options.name), json=options.json)
    return SUCCESS
