"""Tables as lines of text: the ranking at the end of a sweep, and others."""

from __future__ import annotations

from collections.abc import Sequence

from digit_exp.analysis.objective import NOTHING, Objective
from digit_exp.analysis.ranking import Place, Ranking
from digit_exp.analysis.report.tables import Column, Table, head, parameter_columns, seen, verdict

WIDTH = 100
"""Characters of a line, at most."""

NARROWEST = 6
"""Characters to which a parameter's column is cut before it is left out."""

GAP = "  "


def terminal_table(ranking: Ranking, rows: int = 20) -> str:
    """Return the best configurations in lines of at most 100 characters."""
    parameters = parameter_columns(ranking)
    columns = [
        Column("#", is_number=True),
        *parameters,
        Column(ranking.objective.label, is_number=True),
        Column("± 95 %", is_number=True),
        Column("n", is_number=True),
        Column("test", is_number=True),
        Column("compared with #1"),
    ]
    cells = [[column.title for column in columns]]
    for position, place in enumerate(ranking.places[:rows]):
        numbers = _numbers(place, ranking.objective)
        cells.append([*head(ranking, position), *numbers, seen(place), verdict(place, ranking)])
    lines = _lines(columns, cells, range(1, 1 + len(parameters)))
    if len(ranking.places) > rows:
        lines.append(f"... and {len(ranking.places) - rows} more, in the report")
    return "\n".join(lines)


def text_table(table: Table) -> str:
    """Return a table in lines of at most 100 characters; wide columns of text are cut."""
    cells = [[column.title for column in table.columns], *map(list, table.rows)]
    words = [place for place, column in enumerate(table.columns) if not column.is_number]
    return "\n".join(_lines(table.columns, cells, words))


def _lines(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], soft: Sequence[int]
) -> list[str]:
    """Return the head, a rule and the rows; the columns at `soft` may be narrowed."""
    longest = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths = _fitted(longest, soft)
    first, *others = [_line(row, widths, columns) for row in cells]
    return [line.rstrip() for line in (first, "─" * _length(widths), *others)]


def _numbers(place: Place, objective: Objective) -> list[str]:
    summary = place.summary
    if summary is None:
        return [NOTHING, NOTHING, "0"]
    margin = NOTHING if summary.n == 1 else objective.spread(summary.high - summary.mean)
    return [objective.text(summary.mean), margin, str(summary.n)]


def _fitted(widths: list[int], ours: Sequence[int]) -> list[int]:
    """Narrow the columns at `ours`, the widest first, until a line fits; 0 leaves one out."""
    while _length(widths) > WIDTH:
        shrinkable = [column for column in ours if widths[column] > NARROWEST]
        left = [column for column in ours if widths[column]]
        if shrinkable:
            widths[max(shrinkable, key=lambda column: widths[column])] -= 1
        elif left:
            widths[left[-1]] = 0
        else:
            widths[-1] -= 1
    return widths


def _length(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (sum(width > 0 for width in widths) - 1)


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    cells = []
    for cell, width, column in zip(row, widths, columns, strict=True):
        if width:
            cut = cell if len(cell) <= width else f"{cell[: width - 1]}…"
            cells.append(cut.rjust(width) if column.is_number else cut.ljust(width))
    return GAP.join(cells)
