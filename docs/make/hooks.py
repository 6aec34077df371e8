"""Hooks of MkDocs: pages that show files of the repository, and equations that need no script."""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[2]
INCLUDED = re.compile(r'^--8<-- "(?P<file>[^"]+)"$', re.MULTILINE)
PLACES = {"docs/": "", "CODE_OF_CONDUCT.md": "conduct.md", "SECURITY.md": "security.md"}
"""Where the files of the repository are in the site."""

LANGUAGES = {".py": "python", ".yaml": "yaml"}
"""Of files that are shown as they are."""

EQUATION = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add pages that the navigation does not name, so that none is lost."""
    docs = Path(config.docs_dir)
    named = set(re.findall(r"[\w./-]+\.md", str(config.nav)))
    found = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    assert config.nav is not None
    if rest := [page for page in found if page not in named]:
        config.nav.append({"More": rest})
    return config


def on_page_markdown(text: str, **_: object) -> str:
    """Put in the files that a page names, with links as they are from here."""
    return INCLUDED.sub(_content, text)


def _content(found: re.Match[str]) -> str:
    text = (ROOT / found["file"]).read_text(encoding="utf-8")
    if (language := LANGUAGES.get(Path(found["file"]).suffix)) is not None:
        return f"```{language}\n{text}```"
    for there, here in PLACES.items():
        text = text.replace(f"]({there}", f"]({here}")
    return text


def on_page_content(text: str, **_: object) -> str:
    """Write as MathML, which browsers draw, what the extension arithmatex has marked."""
    return EQUATION.sub(_mathml, text)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found["tag"] == "div" else "inline"
    return convert(html.unescape(found["tex"]), display=display)
