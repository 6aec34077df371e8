"""What makes two runs the same run: configuration, data and code.

A sweep that is started again recognises by it what it has already done.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from functools import cache
from importlib import import_module

from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import resolved
from digit_exp.tracking.provenance import source_digest

LIBRARIES = ("numpy", "numba", "scipy")
"""What computes the result beside the package itself."""


def config_hash(config: RunConfig, data_digest: str | None) -> str:
    """Return 16 hexadecimal digits that two runs share if they must come to the same result.

    None stands for data that could not be read. How a run is named and tracked does not count.
    """
    values = resolved(config)
    del values["run_name"], values["tracking"]
    text = json.dumps([values, data_digest, code_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_config_hash(text: str) -> bool:
    """Tell whether a text is such a hash."""
    return re.fullmatch("[0-9a-f]{16}", text) is not None


@cache
def code_version() -> str:
    """Return the digest of the package's files, and the versions of the libraries.

    Where the files cannot be read it is new in each process, so that nothing is reused.
    """
    source = source_digest() or f"unknown {uuid.uuid4().hex}"
    # of the modules, because a library need not be installed with metadata
    versions = [f"{name} {import_module(name).__version__}" for name in LIBRARIES]
    return " ".join([source, *versions])
