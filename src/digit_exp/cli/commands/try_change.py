"""Tell whether a change is better, or only lucky.

Trains a change and its baseline on the same seeds, pair by pair, and stops as soon as a sequential
paired test decides: better, worse, or no difference that matters. Compared is the best validation
accuracy; the test set has no part in it. Finished runs are used again, and the same command goes on
after a kill.

Examples:
  digit-exp try optimizer=lion optimizer.lr=3e-4        against the defaults
  digit-exp try schedule=one_cycle --against best       against the best run's configuration
  digit-exp try model.hidden=[512] --both trainer.epochs=5 data=fashion_mnist

exit codes: 0 better, 3 worse, 4 no difference, 5 undecided, 1 a run failed, 2 nothing to compare
Verdicts are kept in outputs/verdicts.jsonl; digit-exp list --verdicts shows them.
docs/statistics.md explains the test.
"""

import sys
from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import add_json, add_store, number
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_json
from digit_exp.runs.errors import JobFailed

EXIT_CODES = {"better": SUCCESS, "worse": 3, "no difference": 4, "undecided": 5}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="+", metavar="KEY=VALUE", help="what is changed, as on any command line"
    )
    parser.add_argument(
        "--against",
        default="defaults",
        metavar="RUN",
        help="the baseline: a run, 'best', or 'defaults' (which it is without this)",
    )
    parser.add_argument(
        "--both", nargs="+", default=[], metavar="KEY=VALUE", help="what holds for both sides"
    )
    parser.add_argument(
        "--max-pairs",
        type=number(int, 1),
        default=8,
        metavar="N",
        help="pairs at most; default: 8",
    )
    parser.add_argument(
        "--indifference",
        type=number(float, 0, 100),
        default=0.2,
        metavar="POINTS",
        help="a difference that does not matter, in percentage points; default: 0.2",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="the chance of a wrong verdict; default: 0.05"
    )
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from dataclasses import asdict

    from digit_exp.sweeps.tries.comparison import comparison
    from digit_exp.sweeps.tries.try_change import try_change

    found = comparison(options.words, against=options.against, both=options.both, uri=options.uri)
    out = sys.stderr if options.json else sys.stdout
    print(f"{found.name}, against {found.against}", file=out, flush=True)
    try:
        verdict = try_change(
            found,
            max_pairs=options.max_pairs,
            indifference=options.indifference,
            alpha=options.alpha,
            report=lambda line: print(line, file=out, flush=True),
        )
    except JobFailed as error:
        print(f"a run failed: {error}", file=sys.stderr)
        return FAILURE
    if options.json:
        print_json(asdict(verdict))
    else:
        print(f"\n{verdict.text()}, {verdict.seconds:.0f} s of training")
    return EXIT_CODES[verdict.verdict]
