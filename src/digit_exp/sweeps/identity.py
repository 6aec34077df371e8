"""What makes two runs the same run: configuration, data and code.

A sweep that is started again recognises by it what it has already done.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import resolved
from digit_exp.tracking.provenance import git_diff, git_tags
from digit_exp.version import version


def config_hash(config: RunConfig, data_digest: str | None) -> str:
    """Return 16 hexadecimal digits that two runs share if they must come to the same result.

    None stands for data that could not be read. How a run is named and tracked does not count.
    """
    values = resolved(config)
    del values["run_name"], values["tracking"]
    text = json.dumps([values, data_digest, code_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_version() -> str:
    """Return the version of the package, and of its sources where git knows them."""
    commit = git_tags().get("mlflow.source.git.commit", "")
    changes = hashlib.sha256((git_diff() or "").encode()).hexdigest()[:8]
    return f"{version()} {commit} {changes}"
