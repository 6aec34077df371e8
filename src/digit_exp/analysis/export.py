"""A ranking as a table for a paper or a program: CSV, JSON, Parquet, Markdown and LaTeX.

The best configuration is bold. An asterisk marks those that the test does not tell from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.ranking import Place, Ranking
from digit_exp.analysis.report.tables import short_names
from digit_exp.analysis.statistics import Summary
from digit_exp.atomic import whole, write_text
from digit_exp.plots.parts.values import text
from digit_exp.registry import ConfigError

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".json", ".md", ".tex", ".parquet")
FIGURES = (".pdf", ".svg")
TEST = Objective("test_acc")
LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "[": "{[}",  # after the end of a row it would begin an option
    "–": "--",
}
NOTE = "mean ± half of the 95 % interval over seeds; * not shown to differ from the best"


def _is_not_worse(place: Place) -> bool:
    """Tell whether a test was made that does not tell a configuration from the best one."""
    return place.comparison is not None and place.comparison.outcome == "no difference shown"


def table(ranking: Ranking) -> pd.DataFrame:
    """Return a row for each configuration, best first, in numbers for a program."""
    import pandas as pd

    rows = []
    for number, place in enumerate(ranking.places, 1):
        values = {key: _plain(place.group.parameters.get(key)) for key in ranking.parameters}
        comparison = place.comparison
        rows.append(
            {
                "rank": number if place.summary else None,
                **values,
                **_numbers(ranking.objective.metric, place.summary),
                **_numbers(TEST.metric, place.group.only("FINISHED").summary(TEST.metric)),
                "best": place is ranking.winner,
                "not_shown_to_differ": _is_not_worse(place),
                "p": None if comparison is None else comparison.corrected,
            }
        )
    return pd.DataFrame(rows).astype({"rank": "Int64"})


def paper_table(ranking: Ranking) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table for readers; cells have no markup."""
    goal = ranking.objective
    unit = " (%)" if goal.is_share else ""
    head = [*short_names(ranking.parameters), f"{goal.label}{unit}", "n", "test accuracy (%)"]
    rows = []
    for place in ranking.places:
        values = place.group.parameters
        rows.append(
            [
                *(text(values[k]) if k in values else NO_VALUE for k in ranking.parameters),
                f"{_mean(place.summary, goal)}{'*' if _is_not_worse(place) else ''}",
                str(place.summary.n),
                _mean(place.group.only("FINISHED").summary(TEST.metric), TEST),
            ]
        )
    return head, rows


def markdown(ranking: Ranking) -> str:
    """Return the table in Markdown."""
    head, rows = paper_table(ranking)
    at = len(ranking.parameters)
    lines = [head, [*("---" for _ in range(at)), "---:", "---:", "---:"]]
    for number, row in enumerate(rows):
        cells = [cell.replace("|", "\\|").replace("*", "\\*") for cell in row]
        if ranking.places[number] is ranking.winner:
            cells[at] = f"**{cells[at]}**"
        lines.append(cells)
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return table + "\n" + NOTE.replace("*", r"\*") + "\n"


def latex(ranking: Ranking) -> str:
    """Return the table in LaTeX; it needs the package booktabs."""
    head, rows = paper_table(ranking)
    at = len(ranking.parameters)
    lines = [rf"\begin{{tabular}}{{{'l' * at}rrr}}", r"\toprule", _latex_row(head), r"\midrule"]
    for number, row in enumerate(rows):
        cells = [escaped(cell) for cell in row]
        cells[at] = cells[at].replace("*", "$^{*}$")
        if ranking.places[number] is ranking.winner:
            cells[at] = rf"\textbf{{{cells[at]}}}"
        lines.append(rf"{' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return f"% {NOTE}; \\usepackage{{booktabs}}\n" + "\n".join(lines) + "\n"


def escaped(cell: str) -> str:
    r"""Return text as LaTeX reads it.

    >>> print(escaped("[64, 32] & l2_1 98.10 ± 0.20"))
    {[}64, 32] \& l2\_1 98.10 $\pm$ 0.20
    """
    return "".join(LATEX.get(character, character) for character in cell)


def write_table(ranking: Ranking, file: Path) -> Path:
    """Write the table in the format that the name of the file ends with."""
    kind = file.suffix.lower()
    if kind in (".md", ".tex"):
        return write_text(file, markdown(ranking) if kind == ".md" else latex(ranking))
    frame = table(ranking)
    if kind == ".csv":
        return write_text(file, frame.to_csv(index=False))
    if kind == ".json":
        return write_text(file, frame.to_json(orient="records", indent=2) + "\n")
    with whole(file) as draft:
        frame.to_parquet(draft, index=False, engine="pyarrow")
    return file


def require_format(file: Path) -> None:
    """Raise ConfigError if a file's name ends in no format that can be written."""
    if file.suffix.lower() not in (*TABLES, *FIGURES):
        known = ", ".join((*TABLES, *FIGURES))
        raise ConfigError.at("--to", f"must end in one of {known}, got {str(file)!r}")


def _latex_row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(map(escaped, cells))} \\"


def _mean(summary: Summary, objective: Objective) -> str:
    if not summary:
        return NO_VALUE
    factor, digits = (100, ".2f") if objective.is_share else (1, ".4g")
    mean = f"{factor * summary.mean:{digits}}"
    if summary.n == 1:
        return mean
    half = factor * (summary.high - summary.low) / 2
    return f"{mean} ± {half:{'.2f' if objective.is_share else '.2g'}}"


def _numbers(metric: str, summary: Summary) -> dict[str, float | int | None]:
    names = ("n", "mean", "std", "low", "high")
    values = {name: getattr(summary, name) if summary else None for name in names}
    return {metric if name == "mean" else f"{metric}_{name}": v for name, v in values.items()}


def _plain(value: object) -> object:
    """Return a value that a column can hold: a list becomes text."""
    return re.sub(r"\s", "", str(value)) if isinstance(value, list) else value
