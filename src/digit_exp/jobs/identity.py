"""What makes two jobs the same: configuration, code of the application, versions of libraries."""

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from inspect import unwrap
from pathlib import Path

NAMES = {"hydra": "hydra-core", "sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML"}
"""Packages that are not called as their modules are."""


def code_of(task: Callable[..., object]) -> dict[str, str]:
    """Return the digest of the file of a function, and the versions of what the file imports.

    Of one's own modules that it imports only the file of the function itself counts.
    """
    file = Path(unwrap(task).__code__.co_filename)
    try:
        content = file.read_bytes()
    except OSError:  # of a notebook
        return {}
    return {"digest": hashlib.sha256(content).hexdigest(), **dict(_versions(content))}


def identity(config: Mapping[str, object], code: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits that two jobs share if they must come to the same result."""
    text = json.dumps([config, code], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _versions(content: bytes) -> Iterator[tuple[str, str]]:
    roots = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.partition(".")[0])
    for root in sorted(roots - sys.stdlib_module_names):
        for package in _packages(root):
            yield package, metadata.version(package)


@cache
def _packages(module: str) -> Sequence[str]:
    """Return the packages that have a module; to look through all of them takes a second."""
    name = NAMES.get(module, module)
    with suppress(metadata.PackageNotFoundError):
        return [metadata.metadata(name)["Name"]]
    return metadata.packages_distributions().get(module, [])
