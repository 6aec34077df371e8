"""`python -m digit_exp.compare RUN RUN ...`: what differs between runs, and how sure that is.

The work is in `runs/reuse/compare.py` and `analysis/report/comparison_sections.py`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from digit_exp.cli.arguments import RUN, add_store, command_parser, guarded
from digit_exp.runs.reuse.lookup import Runs

DESCRIPTION = """\
Compares runs: in their configuration, in what they came to, with intervals, in their curves, and
in what they make of the test set, image by image, with McNemar's test of the first against each
other one. A sweep stands for all of its jobs.
"""
EPILOG = """\
examples:
  python -m digit_exp.compare best latest
  python -m digit_exp.compare 7f3a 09bc 41d2 --out comparison
  python -m digit_exp.compare my-sweep

The tables are printed; the same as a page that stands alone (HTML), and the pictures (PNG), go to
outputs/comparisons/. The exit code is 0, or 2 if the runs cannot be found.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print and write; return 0, or 2 if that cannot be."""
    parser = command_parser("compare", DESCRIPTION, EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the page goes")
    add_store(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _compare(options))


def _compare(options: Namespace) -> int:
    from digit_exp.runs.reuse.compare import compare  # SciPy and matplotlib: a second to import

    runs = Runs.around(uri=options.uri)
    found = compare([run for text in options.runs for run in runs.several(text)])
    print(found.lines())
    page, *pictures = found.write(options.out)
    print(f"\npage: {page}\nits {len(pictures)} pictures: {page.parent / 'figures'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
