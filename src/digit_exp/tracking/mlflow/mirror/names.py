"""Which names MLflow takes for tags and parameters, so that a wrong one is told before a run."""

from __future__ import annotations

import posixpath
import re

LONGEST = 250
"""Characters of a key."""
ALLOWED = "letters, digits, spaces and _ - . : /"
PREFIX = "tracking.tags."
"""A tag of the configuration is also a parameter, under this name and its own."""


def refusal(tag: str) -> str | None:
    """Return why MLflow would refuse a tag of the configuration, if it would.

    >>> refusal("paper.figure")
    >>> refusal("who@where")
    "may have letters, digits, spaces and _ - . : /, got 'who@where'"
    """
    if re.fullmatch(r"[/\w.\- :]+", tag) is None:
        return f"may have {ALLOWED}, got {tag!r}"
    norm = posixpath.normpath(tag)
    if norm != tag or norm.startswith(("/", "..")) or norm == ".":
        return f"must not read as another path, such as ./a, a//b or a/, got {tag!r}"
    if len(PREFIX + tag) > LONGEST:
        return f"must have at most {LONGEST - len(PREFIX)} characters, got {len(tag)}"
    return None
