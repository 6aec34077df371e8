"""Code outside this package: the files of one's own classes, and the libraries they import."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from digit_exp.registry import is_own
from digit_exp.tracking.tags import Tag


def own_code(classes: Iterable[type]) -> dict[str, str]:
    """Return tags with the digest of the files and the versions of what these import.

    There are none if all classes are of this package. What a file imports of one's other files does
    not count.
    """
    modules = {sys.modules[cls.__module__] for cls in classes if is_own(cls)}
    files = sorted(Path(file) for module in modules if (file := getattr(module, "__file__", None)))
    if not files:
        return {}
    digest = hashlib.sha256(b"\n".join(file.read_bytes() for file in files)).hexdigest()
    return {
        Tag.OWN_DIGEST: digest,
        **{key: text for each in modules for key, text in _versions(each)},
    }


def _versions(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the version of each library of which a module has something by name."""
    for value in list(vars(module).values()):
        name = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
        root = str(name).partition(".")[0]
        version = getattr(sys.modules.get(root), "__version__", None)
        if isinstance(version, str) and root != "digit_exp":
            yield f"version.{root}", version
