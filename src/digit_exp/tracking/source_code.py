"""Which code a run was made with: a digest of the package's own files.

git is not asked: it may be missing, refuse another user's checkout, or hide files that are new.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

SKIPPED = {"__pycache__", "conf", "mnist"}
"""Folders whose contents count elsewhere: in the configuration, and in the digest of the data."""


@cache
def source_digest(package: Path = PACKAGE) -> str | None:
    """Return the SHA-256 of all files in `package`, or None if they cannot be read."""
    digest = hashlib.sha256()
    try:
        files = sorted(file for file in package.rglob("*") if _counts(file.relative_to(package)))
        contents = [(file, file.read_bytes()) for file in files if file.is_file()]
    except OSError:
        return None
    for file, content in contents:
        name = file.relative_to(package).as_posix()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest() if contents else None


def _counts(file: Path) -> bool:
    """Leave out caches, and hidden files: no module has such a name, an editor's lock has."""
    return not any(part in SKIPPED or part.startswith(".") for part in file.parts)
