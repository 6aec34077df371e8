"""Write a table or a figure for a paper, or a run as a zip.

Writes the configurations of a sweep, or of several runs, best first: mean and 95 % interval over
seeds, the best one bold, an asterisk at those that the test does not tell from it.
--to FILE.zip writes one run for somebody else instead: everything that proves it, with a digest of
each file. `digit-exp import` and `digit-exp verify` read it.

formats of --to:
  .csv .json .parquet   numbers for a program, a row for each configuration
  .md .tex              mean ± half of the interval; LaTeX needs the package booktabs
  .pdf .svg             a figure at the width of a column
  .zip                  one run: configuration, metrics, checkpoints, predictions, provenance

Examples:
  digit-exp export my-sweep --to table.tex
  digit-exp export my-sweep --to results.csv --figures figures
  digit-exp export 7f3a 09bc --to scores.pdf
  digit-exp export latest --to run.zip
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_runs, add_store

if TYPE_CHECKING:
    from digit_exp.runs.saved.lookup import Runs


def configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument("--to", type=Path, metavar="FILE", help="the table or figure; see below")
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="write every figure as PDF and SVG"
    )
    parser.add_argument(
        "--objective", metavar="METRIC", help="rank by this; default: as the sweep did"
    )
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.registry import ConfigError
    from digit_exp.runs.saved.export import export, ranking_of
    from digit_exp.runs.saved.lookup import Runs

    if options.to is None and options.figures is None:
        raise ConfigError.at("--to", "is missing; write --to FILE or --figures FOLDER")
    runs = Runs.of_folder(uri=options.uri)
    if options.to is not None and options.to.suffix.lower() == ".zip":
        return _export_run(options, runs)
    found = runs.all_of(options.runs)
    for file in export(ranking_of(found, options.objective), options.to, options.figures):
        print(file)
    return 0


def _export_run(options: Namespace, runs: Runs) -> int:
    """Write one run as an archive."""
    from digit_exp.registry import ConfigError
    from digit_exp.runs.saved.handover.export_run import export_run

    if len(options.runs) > 1 or options.figures is not None or options.objective is not None:
        problem = "takes one RUN, without --figures and --objective"
        raise ConfigError.at(f"--to {options.to}", problem)
    print(options.to, f"SHA-256 {export_run(runs.find_job(options.runs[0]), options.to)}", sep="\n")
    return 0
