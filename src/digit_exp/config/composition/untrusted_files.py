"""What a configuration file outside the package may set: values, a search, and a launcher.

Hydra would let it do more: name functions to call for logging and launching, folders to write to,
and variables of the environment to read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra.core.config_store import ConfigStore

from digit_exp.config.convert import texts_in
from digit_exp.registry import Problem

MAX_BYTES, MAX_VALUES, MAX_DEPTH = 1 << 18, 5000, 20
"""More than any configuration has, and few enough to read quickly."""

PLAIN = "tag:yaml.org,2002:"

ALLOWED = ("hydra.mode", "hydra.sweeper", "hydra.launcher")
"""The settings of Hydra that a file may make."""

REFUSED = ("hydra.sweeper.storage", "tracking.uri")
"""Where things are written or sent, which a file must not set."""

CALLS = ("_target_", "()")
"""Keys by which Hydra and Python's logging call what a file names."""

ELSEWHERE = "a file must not say that; say it on the command line"


def suspicion(file: Path) -> str | None:
    """Return why a file must not be read, or None; invalid YAML is left to the parser."""
    if (size := file.stat().st_size) > MAX_BYTES:
        return f"has {size:,} bytes; a configuration has {MAX_BYTES:,} at most"
    depth = values = 0
    try:
        for event in yaml.parse(file.read_bytes(), yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            values += isinstance(event, yaml.NodeEvent)
            if isinstance(event, yaml.AliasEvent):
                return f"refers to another value with *{event.anchor}; write the value out"
            if depth > MAX_DEPTH or values > MAX_VALUES:
                return f"is deeper than {MAX_DEPTH} levels or has more than {MAX_VALUES:,} values"
            if (tag := getattr(event, "tag", None)) and (not tag.startswith(PLAIN) or "/" in tag):
                return f"asks for an object of Python, {tag}"
    except (yaml.YAMLError, UnicodeError):
        return None
    return None


def refused(content: Mapping[str, Any], package: str) -> Iterator[Problem]:
    """Yield the values of a file, below `package`, that it must not set."""
    for path, key, value in _walk(content, package):
        if key in CALLS and not _is_installed(path, value):
            yield Problem(path, f"names a function to call, {key}; only registered names do")
        elif isinstance(value, str) and "${" in value and path.startswith("hydra."):
            yield Problem(path, f"must be written out, got {value!r}")
        elif path.startswith(("hydra.sweeper.params.hydra", "hydra.sweeper.params.tracking.uri")):
            yield Problem(path, ELSEWHERE)
        elif path.startswith(REFUSED) and value is not None:
            in_environment = ", or in MLFLOW_TRACKING_URI" if path == "tracking.uri" else ""
            yield Problem(path, ELSEWHERE + in_environment)
        elif path.startswith("hydra.") and not path.startswith(ALLOWED):
            yield Problem(path, ELSEWHERE)
        elif path.startswith("hydra.launcher.") and key != "_target_" and [*texts_in(value)]:
            yield Problem(path, ELSEWHERE)  # it could become a line of a shell script


def _is_installed(path: str, value: object) -> bool:
    """Tell whether a launcher or sweeper is one that Hydra has found."""
    if path not in ("hydra.launcher._target_", "hydra.sweeper._target_"):
        return False
    nodes = ConfigStore.instance().repo["hydra"][path.split(".")[1]].values()
    return any(node.node.get("_target_") == value for node in nodes)


def _walk(node: object, path: str) -> Iterator[tuple[str, str, object]]:
    """Yield every single value with its path and its key; a list is walked through."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            if path or key != "defaults":
                yield from _walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(isinstance(item, Mapping) for item in node):
        for item in node:
            yield from _walk(item, path)
    else:
        yield path, path.rpartition(".")[2], node
