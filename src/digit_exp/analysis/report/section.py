"""The parts of a report: the results that go in, and the sections that come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.run_comparison import ComparedRun
from digit_exp.arrays import Pixels
from digit_exp.plots.parts.canvas import Drawing


@dataclass(frozen=True)
class Links:
    """A cell of a table: texts that lead to files or to pages."""

    items: Sequence[tuple[str, Path | str]]

    def __str__(self) -> str:
        return " ".join(text for text, _ in self.items)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    key: str
    title: str
    text: Sequence[str] = ()
    figure: Drawing | None = None
    """Called when the report is written: an error in it costs the figure, not the report."""
    tables: Sequence[pd.DataFrame] = ()
    chart: Mapping[str, object] | None = None
    """What the script of the HTML page draws in place of the figure."""


@dataclass(frozen=True)
class Results:
    """What is reported: configurations by rank, single runs side by side, or both."""

    ranking: Ranking | None = None
    runs: Sequence[ComparedRun] = ()
    """With a ranking: one run of each of the first configurations."""
    images: Pixels | None = None
    """Those of the test set, shape `(n, height, width)`, if they are available."""
    class_names: Sequence[str] = ()
