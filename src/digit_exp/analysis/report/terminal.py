"""Tables as lines of text for a terminal."""

import shutil
import sys

import pandas as pd

from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.report.tables import short_ranking

UNLIMITED = 10_000
"""Characters of a line in a file or a pipe."""

NUMBER = r"–|[<>+-]? ?\d[\d.,e+-]*( %)?( to .*)?"

LENGTHS = (UNLIMITED, 60, 40, 28, 20)
"""Characters to which a cell is cut, one after the other, until the lines fit."""


SPARE = ("n", "± 95 %", "test")
"""Columns of a ranking that are left out before parameters are."""


def numeric(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold numbers, or mostly do: they are aligned to the right."""
    is_number = table.apply(lambda column: column.map(str).str.fullmatch(NUMBER).mean() > 0.5)
    return [str(name) for name in table if name == "#" or is_number[name]]


def terminal_table(ranking: Ranking, rows: int = 20) -> str:
    """Return the best configurations in lines that fit the terminal."""
    lines = [text_table(short_ranking(ranking).head(rows))]
    if len(ranking.places) > rows:
        lines.append(f"... and {len(ranking.places) - rows} more, in the report")
    return "\n".join(lines)


def text_table(table: pd.DataFrame) -> str:
    """Return a table in lines that fit the terminal; in a file or a pipe they are whole.

    Long cells are cut where the cells of a column stay different. Then columns are left out:
    `SPARE` first, then those in which all rows agree, then the widest. The last line says how many.
    """
    table = table.map(str)  # a cell may be links
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED
    for length in LENGTHS:
        lines = _lines(table, length)
        if len(lines[1]) <= width:
            return "\n".join(lines)
    names = [str(name) for name in table.columns[1:-1]]
    widths = {name: table[name].map(str).str.len().max() for name in names}
    names.sort(key=lambda name: (name in SPARE, table[name].nunique() == 1, widths[name]))
    left_out = 0
    while len(lines[1]) > width and left_out < len(names):
        left_out += 1
        lines = _lines(table.drop(columns=names[-left_out:]), LENGTHS[-1])
    if left_out:
        columns = "column is" if left_out == 1 else "columns are"
        lines.append(f"{left_out} more {columns} too wide for the terminal")
    return "\n".join(lines)


def _lines(table: pd.DataFrame, length: int) -> list[str]:
    numbers, cells = numeric(table), table.apply(_cut_column, length=length)
    padded: dict[str, pd.Series] = {}
    for name, column in cells.items():
        width = 0 if name in numbers else max(len(str(name)), *column.str.len())
        gap = " " if padded else ""  # beside the one that pandas sets
        padded[f"{gap}{name:<{width}}"] = gap + column.str.ljust(width)
    cut = pd.DataFrame(padded)
    first, *rows = cut.to_string(index=False, max_colwidth=None).split("\n")
    rule = "─" * max(map(len, (first.rstrip(), *(row.rstrip() for row in rows))))
    return [first.rstrip(), rule, *(row.rstrip() for row in rows)]


def _cut_column(column: pd.Series, length: int) -> pd.Series:
    """Cut the cells of a column, unless rows that differ would look alike."""
    cut = column.map(lambda cell: _cut(cell, length))
    return cut if cut.nunique() == column.nunique() else column.map(lambda cell: _cut(cell, 10**6))


def _cut(cell: str, length: int) -> str:
    one_line = " ".join(cell.split())
    return one_line if len(one_line) <= length else f"{one_line[: length - 1]}…"
