"""Check installation, machine and store.

Checks the installation (versions, package data, configuration), the machine (cores, BLAS, compiled
kernels, terminal, figures, git) and where things are kept (folder, disk, caches, MLflow store).
Says what is wrong and what to do. Changes nothing.

Exit code 0 if runs can be made, even if something could be better; 1 if something is wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_json, add_store
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_json

if TYPE_CHECKING:
    from digit_exp.doctor.check import Check


def configure(parser: ArgumentParser) -> None:
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.doctor.check import Level
    from digit_exp.doctor.examine import examine

    found = []
    for name, check in examine(options.uri):
        found.append({"name": name, **asdict(check), "level": check.level.value})
        if not options.json:
            print(_lines(name, check), flush=True)
    errors = sum(check["level"] == Level.error.value for check in found)
    if options.json:
        print_json({"ok": not errors, "checks": found})
    elif errors:
        print(f"\n{errors} of {len(found)} checks found an error")
    else:
        print("\nruns can be made")
    return FAILURE if errors else SUCCESS


def _lines(name: str, check: Check) -> str:
    lines = [*check.found.splitlines(), *([f"-> {check.advice}"] if check.advice else [])]
    first = f"{check.level.value:<7}  {name:<13}  "
    return first + f"\n{' ' * len(first)}".join(lines)
