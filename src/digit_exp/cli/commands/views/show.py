"""Show everything known of one run.

Shows everything known of one run: how it stands, its metrics, what differs from the default
configuration, what it was made with, its files, and the commands that open, resume or repeat it.

Examples:
  digit-exp show latest
  digit-exp show my-sweep                the winner of a sweep
  digit-exp show best --json             for a program, with the whole configuration
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_json, add_run, add_store
from digit_exp.cli.output import print_json

if TYPE_CHECKING:
    from digit_exp.runs.saved.views.details import Details


def configure(parser: ArgumentParser) -> None:
    add_run(parser)
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.views.details import Details

    details = Details(Runs.of_folder(uri=options.uri).briefly().find(options.run))
    if options.json:
        print_json(details.as_json())
    else:
        print("\n\n".join("\n".join(lines) for lines in _sections(details) if lines))
    return 0


def _sections(details: Details) -> Iterator[list[str]]:
    from digit_exp.config.convert import quoted

    run = details.run
    yield [run.name, *_aligned(_identity(details))]
    yield _titled("metrics", {name: f"{value:.6g}" for name, value in run.metrics.items()})
    if details.is_valid:
        changed = {
            key: f"{quoted(value)}  (default {quoted(default)})"
            for key, (default, value) in details.changed.items()
        }
        yield _titled("differs from the default configuration", changed or {"nothing": ""})
    else:
        values = {key: quoted(value) for key, value in details.config.items()}
        yield _titled("configuration, which this version cannot run", values or {"lost": ""})
    yield _titled("made with", details.provenance)
    yield _titled("files", {name: _size(size) for name, size in details.files.items()})
    yield _titled("what can be done", details.commands)
    yield run.page()


def _identity(details: Details) -> dict[str, str]:
    known = details.as_json()
    status = known["status"] + (f": {known['reason']}" if known["reason"] else "")
    sweep = known["sweep"] and known["sweep"] + (
        "" if known["job"] is None else f", job {known['job']}"
    )
    values = {
        "id": known["id"],
        "status": status,
        "started": f"{details.run.started.astimezone():%Y-%m-%d %H:%M:%S}",
        "data": known["data"],
        "sweep": sweep,
        "folder": known["folder"],
        "note": known["note"],
    }
    return {key: value for key, value in values.items() if value}


def _titled(title: str, values: Mapping[str, str]) -> list[str]:
    return [title, *_aligned(values)] if values else []


def _aligned(values: Mapping[str, str]) -> list[str]:
    width = max(map(len, values))
    return [f"  {key:<{width}}  {value}".rstrip() for key, value in values.items()]


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
