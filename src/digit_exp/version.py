"""The version of this program, which stands in `pyproject.toml` alone."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = "digit-exp"
UNKNOWN = "0+unknown"
"""The version of a copy of the sources without `pyproject.toml`, as packaging tools write it."""


@cache
def version() -> str:
    """Return the version; of a checkout that of its `pyproject.toml`, installed or not.

    The metadata of an editable installation stay those of the day on which it was installed.
    """
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        import tomllib

        described = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if described.get("name") == PACKAGE:
            return str(described["version"])
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return UNKNOWN
