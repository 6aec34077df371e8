"""What makes two runs the same run: configuration, data and code.

A sweep that is started again skips the jobs that are done.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import read_yaml, resolved
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import records_below
from digit_exp.runs.initial_weights import unpinned
from digit_exp.tracking.base import Status
from digit_exp.tracking.provenance import own_code, source_digest
from digit_exp.tracking.tags import Tag

LIBRARIES = ("numpy", "numba", "scipy")
"""Libraries that influence results, beside the package itself."""


def config_hash(config: RunConfig, data_digest: str | None) -> str:
    """Return 16 hexadecimal digits that two runs share if they must have the same result.

    None stands for data that could not be read. How a run is named and tracked does not count, and
    of the weights that it begins with only their digest.
    """
    values = resolved(config)
    del values["run_name"], values["tracking"]
    if config.start_from is not None:
        values["start_from"] = unpinned(config.start_from)[1]
    own = own_code(config.classes)
    code = [code_version(), own] if own else [code_version()]
    text = json.dumps([values, data_digest, *code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_config_hash(text: str) -> bool:
    """Tell whether a text is such a hash."""
    return re.fullmatch("[0-9a-f]{16}", text) is not None


def finished_run(
    config: RunConfig, data_digest: str, outputs: Path, metric: str
) -> Mapping[str, float] | None:
    """Return the summary of a finished run below `outputs` that is the same run, if there is one.

    Any run counts, whether or not it was a job of a sweep, if it has the metric.
    """
    made_with = {
        "seed": str(config.seed),
        Tag.DATA_DIGEST: data_digest,
        Tag.SOURCE_DIGEST: source_digest(),
        **{f"version.{name}": import_module(name).__version__ for name in LIBRARIES},
        **own_code(config.classes),
    }
    wanted = config_hash(config, data_digest)
    for folder, record in records_below(outputs):
        is_like = all(record.tags.get(key) == value for key, value in made_with.items())
        is_like = is_like and Tag.COMMITTEE not in record.tags
        if record.status == Status.FINISHED and is_like and metric in record.summary:
            with suppress(ConfigError):
                found = from_mapping(read_yaml(folder / paths.CONFIG))
                if config_hash(found, data_digest) == wanted:
                    return record.summary
    return None


@cache
def code_version() -> str:
    """Return the digest of the package's files, and the versions of the libraries.

    Where the files cannot be read it is new in each process, so that nothing is reused.
    """
    source = source_digest() or f"unknown {uuid.uuid4().hex}"
    # of the modules, because a library need not be installed with metadata
    versions = [f"{name} {import_module(name).__version__}" for name in LIBRARIES]
    return " ".join([source, *versions])
