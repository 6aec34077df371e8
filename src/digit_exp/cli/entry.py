"""Where a command begins: help at once, and everything else once Hydra and NumPy are imported."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

from digit_exp.cli.output import lasting_output
from digit_exp.runs.errors import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with lasting_output():
        try:
            return _run(arguments)
        except KeyboardInterrupt:  # while all that is slow was imported
            return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    if {"-h", "--help"} & {*arguments}:
        from digit_exp.cli.help import help_text

        print(help_text())
        return 0
    # Imports and configurations make hundreds of thousands of objects and no garbage: to look for
    # it after every 700 of them, as is Python's default, takes a tenth of the start.
    gc.set_threshold(50_000)
    # And at the end it would look through all that MLflow and matplotlib made: most of a second.
    atexit.register(gc.freeze)
    from digit_exp.cli import main

    return main.main(arguments)
