"""The version of this program and what it requires, both from `pyproject.toml` alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "digit-exp"
UNKNOWN = "0+unknown"
"""The version of a copy of the sources without `pyproject.toml`, as packaging tools write it."""


def version() -> str:
    """Return the version; of a checkout that of its `pyproject.toml`, installed or not.

    The metadata of an editable installation stay those of the day on which it was installed.
    """
    if (project := checkout()) is not None:
        return str(project["version"])
    from importlib import metadata  # a third of the time of --help

    with suppress(metadata.PackageNotFoundError):
        return metadata.version(PACKAGE)
    return UNKNOWN


def requirements() -> Sequence[str]:
    """Return the packages that it needs, with the versions, as packaging tools write them."""
    if (project := checkout()) is not None:
        return list(project["dependencies"])
    from importlib import metadata

    with suppress(metadata.PackageNotFoundError):
        return metadata.requires(PACKAGE) or []
    return []


@cache
def checkout() -> dict[str, Any] | None:
    """Return the description of the project, if the sources are in a checkout of it."""
    file = Path(__file__).parents[2] / "pyproject.toml"
    if not file.is_file():
        return None
    import tomllib

    project: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == PACKAGE else None
