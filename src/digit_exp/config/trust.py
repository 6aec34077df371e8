"""What a configuration file may say when it does not come with the package.

A file of somebody's own chooses values and asks for searches, and that is all. Hydra would let it
do more: name classes and functions to call, for logging and launching, and folders to write to;
read the environment; and fill the memory with a few lines of YAML. Here that ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult
from omegaconf import OmegaConf

from digit_exp.registry import Problem

MAX_BYTES, MAX_VALUES, MAX_DEPTH = 1 << 18, 5000, 20
"""More than any configuration has, and little enough to be read in a moment."""

PLAIN = "tag:yaml.org,2002:"
CALLS = ("_target_", "()")
"""Keys by which Hydra and Python's logging call what a file names."""

SEARCH = (
    "direction",
    "max_batch_size",
    "n_jobs",
    "n_trials",
    "params",
    "sampler",
    "sampler_options",
    "seed",
    "space",
    "study_name",
)
"""What a file may set of `hydra.sweeper`."""

COMPUTED = ("overrides", "runtime", "searchpath", "job.override_dirname")
"""What Hydra itself writes into its part, over whatever a file says."""

ELSEWHERE = "a file must not say that; say it on the command line"


def guard(own: Path) -> None:
    """Let Hydra read files outside `own` as strangers', and no file read the environment."""
    Plugins.instance()  # which registers Hydra's own reader of files

    class Guarded(ForeignFiles):
        """The reader of this process."""

        trusted = own

    # A worker process gets this registry and registers Hydra's reader again: equal names are equal.
    Guarded.__name__ = FileConfigSource.__name__
    SourcesRegistry.instance().types["file"] = Guarded
    OmegaConf.clear_resolver("oc.env")


class ForeignFiles(FileConfigSource):
    """Hydra's reader of YAML files, which first looks at what it is about to read."""

    trusted: Path

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path, self._normalize_file_name(config_path)).resolve()
        if file.exists() and not file.is_relative_to(self.trusted.resolve()):
            if not file.is_file():  # opening a pipe would wait for ever
                raise ConfigLoadError(f"{file} is no file")
            if (reason := _suspicion(file)) is not None:
                raise ConfigLoadError(f"{file} {reason}")
        return super().load_config(config_path)


def _suspicion(file: Path) -> str | None:
    """Return why a file is not to be read, if so. YAML that is none is left to its parser."""
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
            tag = getattr(event, "tag", None)
            if tag is not None and (not tag.startswith(PLAIN) or "/" in tag):
                return f"asks for an object of Python, {tag}"
            if isinstance(event, yaml.ScalarEvent) and event.value in CALLS:
                return f"names a function to call, {event.value}; only registered names are known"
    except (yaml.YAMLError, UnicodeError):
        return None
    return None


def refused(
    found: Mapping[str, Any], hydra: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what a stranger's files must not set.

    `found` is what they were composed to, `hydra` the part of it that is Hydra's, and `own` what
    that part is without them.
    """
    settings = found.get("tracking")
    if isinstance(settings, Mapping) and settings.get("uri") is not None:
        yield Problem("tracking.uri", f"{ELSEWHERE}, or in MLFLOW_TRACKING_URI")
    before = dict(_leaves(own))
    for key, value in _leaves(hydra):
        if before.get(key) != value and not _is_harmless(key, value):
            yield Problem(f"hydra.{key}", ELSEWHERE)


def _is_harmless(key: str, value: object) -> bool:
    group, _, name = key.partition(".")
    if group == "sweeper":
        first, _, rest = name.partition(".")
        is_secret = first == "params" and rest.startswith(("hydra", "tracking.uri", "+", "~"))
        return (first in SEARCH and not is_secret) or (name, value) in _known("sweeper")
    if group == "launcher":
        # text could become a line of a shell script
        return not isinstance(value, str) or (name, value) in _known("launcher")
    return key == "mode" or key in COMPUTED or group in COMPUTED


def _known(group: str) -> list[tuple[str, Any]]:
    """Return the settings with which the installed launchers or sweepers come."""
    nodes = ConfigStore.instance().repo["hydra"][group].values()
    return [leaf for node in nodes for leaf in _leaves(_plain(node.node))]


def _leaves(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _plain(node: object) -> dict[str, Any]:
    container: Any = OmegaConf.to_container(OmegaConf.create(node))  # type: ignore[call-overload]
    return dict(container)
