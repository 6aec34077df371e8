"""`digit-exp export RUN ... --to FILE`: a table or a figure for a paper or a program.

The work is in `runs/reuse/export.py`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.arguments import RUN, Command, add_store

DESCRIPTION = """\
Writes the configurations of a sweep, or of several runs, best first: mean and 95 % interval over
seeds, the best one bold, an asterisk at those that the test does not tell from it.
"""
EPILOG = """\
formats of --to:
  .csv .json .parquet   numbers for a program, a row for each configuration
  .md .tex              mean ± half of the interval; LaTeX needs the package booktabs
  .pdf .svg             a figure at the width of a column

examples:
  digit-exp export my-sweep --to table.tex
  digit-exp export my-sweep --to results.csv --figures figures
  digit-exp export 7f3a 09bc --to scores.pdf
"""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help=f"{RUN} (all of its jobs)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="the table or figure; see below")
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="write every figure as PDF and SVG"
    )
    parser.add_argument(
        "--objective", metavar="METRIC", help="rank by this; default: as the sweep did"
    )
    add_store(parser)


def _export(options: Namespace) -> int:
    from digit_exp.registry import ConfigError, Problem
    from digit_exp.runs.reuse.export import export, ranking_of
    from digit_exp.runs.reuse.lookup import Runs

    if options.to is None and options.figures is None:
        raise ConfigError(Problem("--to", "is missing; write --to FILE or --figures FOLDER"))
    runs = Runs.of_folder(uri=options.uri)
    found = [run for text in options.runs for run in runs.all_matching(text)]
    for file in export(ranking_of(found, options.objective), options.to, options.figures):
        print(file)
    return 0


COMMAND = Command(
    "export",
    "a table or a figure for a paper: CSV, LaTeX, PDF, ...",
    DESCRIPTION,
    EPILOG,
    _configure,
    _export,
)
