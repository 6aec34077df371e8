"""A table in a sweep's folder that says which folder holds which job."""

from __future__ import annotations

from pathlib import Path

from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.atomic import write_text
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord, display_status, records_below
from digit_exp.tracking.tags import Tag

INDEX = "index.txt"


def write_index(folder: Path, objective: Objective) -> Path:
    """Write a line for each job whose folder is below `folder`, by their names."""
    jobs = sorted(records_below(folder, f"*/{paths.RECORD}"), key=lambda job: job[1].name or "")
    title = ("folder", "job", "status", objective.metric)
    rows = [title, *((place.name, *_cells(record, objective)) for place, record in jobs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return write_text(folder / INDEX, "\n".join(lines) + "\n")


def _cells(record: RunRecord, objective: Objective) -> tuple[str, str, str]:
    value = record.summary.get(objective.metric)
    status = display_status(record.status, record.tags.get(Tag.STOP_REASON)).lower()
    return record.name or NO_VALUE, status, NO_VALUE if value is None else objective.text(value)
