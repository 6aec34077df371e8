"""From sections to files: HTML that holds its figures, or Markdown beside them."""

import base64
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from digit_exp.analysis.report.section import Links, Section
from digit_exp.analysis.report.terminal import numeric
from digit_exp.atomic import write_text
from digit_exp.plots.parts.canvas import draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """The contents of a report, of a sweep or of some runs."""

    name: str
    summary: str
    sections: Sequence[Section]
    conclusion: str = ""
    best: Mapping[str, object] | None = None
    """The winner of a sweep, as the templates show it."""


def draw_figures(sections: Sequence[Section], folder: Path) -> dict[str, Path]:
    """Draw the figures of sections into `folder`; return those that there are by their keys."""
    figures = {}
    for section in sections:
        if section.figure is None:
            continue
        try:
            figures[section.key] = draw(section.figure, folder / f"{section.key}.png")
        except Exception as error:  # the tables are worth more than a picture
            log.warning("the figure of %r cannot be drawn: %s", section.title, error)
    return figures


def write(page: Page, folder: Path, stem: str, kinds: Sequence[str] = ("html",)) -> list[Path]:
    """Write a page as files of some kinds (`html`, `md`), and its figures; return all of them."""
    figures = draw_figures(page.sections, folder / "figures")
    environment = Environment(
        loader=PackageLoader("digit_exp.analysis.report"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "embedded": _embedded,
        "html_table": partial(_html, folder=folder),
        "md_table": partial(_markdown, folder=folder),
    }
    files = {key: file.relative_to(folder).as_posix() for key, file in figures.items()}
    written = []
    for kind in kinds:
        template = environment.get_template(f"report.{kind}.j2")
        content = template.render(vars(page), figures=figures, files=files)
        written.append(write_text(folder / f"{stem}.{kind}", content))
    return [*written, *figures.values()]


def _html(table: pd.DataFrame, name: str, folder: Path) -> Markup:
    """Write a table as HTML, with numbers on the right; `name` is its own on the page."""
    style = table.style.hide(axis="index").set_uuid(name)
    style = style.format(partial(_html_cell, folder=folder))
    style = style.format_index(escape="html", axis="columns")
    style = style.set_table_styles(
        {name: [{"selector": "", "props": "text-align: right"}] for name in numeric(table)}
    )
    return Markup(style.to_html())


def _html_cell(value: object, folder: Path) -> str:
    if isinstance(value, Links):
        link = Markup('<a href="{}" title="{}">{}</a>')
        return " ".join(
            link.format(_address(to, folder), _kind(to), text) for text, to in value.items
        )
    return escape(value)


def _markdown(table: pd.DataFrame, folder: Path) -> str:
    numbers = numeric(table)
    rule = ["---:" if name in numbers else "---" for name in table]
    rows = [[_cell(value, folder) for value in row] for row in [table.columns, *table.to_numpy()]]
    return "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], rule, *rows[1:]])


def _address(to: Path | str, folder: Path) -> str:
    """Return the address of a file, seen from the folder of the report, or of a page."""
    if isinstance(to, str):
        return to
    return quote(Path(os.path.relpath(to, folder)).as_posix() + "/")


def _kind(to: Path | str) -> str:
    return "page in MLflow, if its server runs" if isinstance(to, str) else "folder of the run"


def _embedded(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def _cell(value: object, folder: Path) -> str:
    """Return text that stays within its cell of a Markdown table, and is text there."""
    if isinstance(value, Links):
        return " ".join(f"[{text}]({_address(to, folder)})" for text, to in value.items)
    one_line = " ".join(str(value).split())
    for mark in "\\`*_[]<>|":
        one_line = one_line.replace(mark, f"\\{mark}")
    return one_line
