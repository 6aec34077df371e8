"""From sections to a file: HTML that stands alone, pictures and all, or Markdown beside them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from digit_exp.analysis.report.sections import Section
from digit_exp.atomic import write_text
from digit_exp.plots.canvas import draw

log = logging.getLogger(__name__)


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


def write_page(
    path: Path, template: str, page: Mapping[str, object], figures: Mapping[str, Path]
) -> Path:
    """Fill in a template with what a page says and its figures, by the keys of their sections."""
    environment = Environment(
        loader=PackageLoader("digit_exp.analysis.report"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"embedded": _embedded, "cell": _cell}
    files = {key: file.relative_to(path.parent).as_posix() for key, file in figures.items()}
    content = environment.get_template(template).render(page, figures=figures, files=files)
    return write_text(path, content)


def _embedded(file: Path) -> str:
    """Return an image as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def _cell(value: str) -> str:
    """Return text that stays within its cell of a Markdown table, and is text there."""
    one_line = " ".join(value.split())
    for mark in "\\`*_[]<>|":
        one_line = one_line.replace(mark, f"\\{mark}")
    return one_line
