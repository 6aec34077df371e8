"""Free the disk of what nothing needs.

Frees the disk of what no run, sweep or registered model needs: runs that have been in the trash for
30 days, with what MLflow keeps of them; files of runs that were deleted in MLflow; checkpoints that
later ones have replaced; half-written files; folders of sweeps without a job. This cannot be
undone, so what goes is listed first, and it asks.

Examples:
  digit-exp gc --dry-run
  digit-exp gc --days 7
  digit-exp gc --all --caches --yes

MLflow's part needs a store in a SQLite file; at a server, its owner runs `mlflow gc`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_json, add_store, number
from digit_exp.cli.output import columns, print_json

if TYPE_CHECKING:
    from digit_exp.runs.saved.manage.garbage import Garbage

DAYS = 30


def configure(parser: ArgumentParser) -> None:
    age = parser.add_mutually_exclusive_group()
    age.add_argument(
        "--days",
        type=number(float, 0),
        default=DAYS,
        metavar="N",
        help="how long a removed run can still be restored (default: %(default)s)",
    )
    age.add_argument("--all", action="store_true", help="empty the whole trash")
    parser.add_argument(
        "--caches",
        action="store_true",
        help="also kernels that other versions have compiled, and downloaded data that no run here"
        " is on",
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would go, and keep it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import OUTPUTS
    from digit_exp.runs.saved.manage.garbage import as_json, caches, garbage
    from digit_exp.runs.saved.manage.trash import TRASH
    from digit_exp.tracking.mlflow.uri import locate

    days = 0 if options.all else options.days
    store = locate(options.uri, Path.cwd())
    found = garbage(OUTPUTS.absolute(), TRASH.absolute(), store, days)
    found += caches(OUTPUTS.absolute()) if options.caches else []
    total = sum(each.bytes for each in found)
    if not options.json:
        print(_table(found))
    is_removed = not options.dry_run and bool(found) and _is_wanted(options, total)
    if is_removed:
        for each in found:
            each.remove()
    if options.json:
        garbage_json = [as_json(each) for each in found]
        print_json({"garbage": garbage_json, "bytes": total, "removed": is_removed})
    elif is_removed:
        print(f"freed {_megabytes(total)}")
    return 0


def _table(found: list[Garbage]) -> str:
    from digit_exp.runs.folder import relative_to_cwd

    if not found:
        return "nothing can go"
    rows = [(str(relative_to_cwd(g.path)), _megabytes(g.bytes), g.reason) for g in found]
    total = ("", _megabytes(sum(each.bytes for each in found)), f"{len(found)} in all")
    return columns(("path", "size", "reason"), [*rows, total], [1]).rstrip()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB"


def _is_wanted(options: Namespace, total: int) -> bool:
    """Ask, unless the command line has answered; raises ConfigError if nobody can be asked."""
    from digit_exp.registry import ConfigError

    if options.yes:
        return True
    if options.json or not sys.stdin.isatty():
        raise ConfigError.at("--yes", "is missing, and nobody can be asked; nothing has gone")
    return input(f"free {_megabytes(total)}, which cannot be undone? [y/N] ").strip().lower() == "y"
