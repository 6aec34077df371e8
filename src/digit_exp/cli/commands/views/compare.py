"""Tell what differs between runs, and how sure that is.

Compares runs: their configurations, their results with intervals, their curves, and their
predictions on the test set, image by image, with McNemar's test of the first run against each
other one. A sweep stands for all of its jobs. Where configurations have several seeds, they are
ranked by their mean and compared over the seeds.

Examples:
  digit-exp compare best latest
  digit-exp compare 7f3a 09bc 41d2 --out comparison
  digit-exp compare my-sweep

The tables are printed; the same as one HTML page, and the pictures (PNG), go to
outputs/comparisons/. The exit code is 0, or 2 if the runs cannot be found.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.arguments import add_json, add_runs, add_store
from digit_exp.cli.output import print_json


def configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder of the page")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs

    store = Runs.of_folder(uri=options.uri)
    runs = store.all_of(options.runs)

    # a name that no run has is refused before the libraries of the tables are imported
    from digit_exp.runs.saved.compare import compare

    found = compare(runs)
    if options.json:
        print_json(found.as_json(found.write(options.out)))
        return 0
    print(found.lines())
    page, *pictures = found.write(options.out)
    print(f"\npage: {page}\nits {len(pictures)} pictures: {page.parent / 'figures'}")
    return 0
