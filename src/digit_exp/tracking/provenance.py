"""What a run was made with: commit, packages, machine. Never the environment, which has secrets."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from threadpoolctl import threadpool_info

from digit_exp.tracking.source_code import source_digest
from digit_exp.version import version

PACKAGES = ("numpy", "numba", "scipy", "hydra-core", "omegaconf", "mlflow", "matplotlib")
HERE = Path(__file__).parent
SECRETS = [
    f":(top,exclude,glob)**/{name}" for name in (".env*", "*.env", "*.pem", "*.key", ".netrc")
]
SOURCE = "source.digest"
"""The tag with the digest of the package's files, which git need not know."""
LONGEST_DIFF = 1_000_000  # characters
GIT_SECONDS = 10


def provenance(seed: int, source: Path = HERE) -> dict[str, str]:
    """Return the tags that say how to make a run again, as far as they can be found out."""
    digest = source_digest()
    known = {} if digest is None else {SOURCE: digest}
    return {"seed": str(seed), **git_tags(source), **known, **_versions(), **_machine()}


def git_tags(source: Path = HERE) -> dict[str, str]:
    """Return commit, branch and whether files differ from it; nothing for an installed package."""
    if not _is_tracked(source):
        return {}
    branch = _git(source, "branch", "--show-current")
    changes = _git(source, "status", "--porcelain", "--untracked-files=normal")
    return {
        "mlflow.source.git.commit": _git(source, "rev-parse", "HEAD") or "",
        **({"mlflow.source.git.branch": branch} if branch else {}),
        "git.dirty": "unknown" if changes is None else str(bool(changes)).lower(),
    }


def git_diff(source: Path = HERE) -> str | None:
    """Return what differs from the commit, in tracked files, or None if nothing does.

    Files that usually hold secrets are left out.
    """
    if not _is_tracked(source):
        return None
    options = ("--no-color", "--no-ext-diff", "--no-textconv")
    diff = _git(source, "diff", "HEAD", *options, "--", ":/", *SECRETS)
    if not diff:
        return None
    if len(diff) > LONGEST_DIFF:
        return f"{diff[:LONGEST_DIFF]}\n... {len(diff) - LONGEST_DIFF:,} characters left out\n"
    return f"{diff}\n"


def _is_tracked(source: Path) -> bool:
    """Tell whether git knows the files here, not just the folder: an environment may lie in one."""
    return bool(_git(source, "ls-files", ".")) and _git(source, "rev-parse", "HEAD") is not None


def _git(source: Path, *arguments: str) -> str | None:
    """Return what git prints, or None if there is no git, no repository or no answer."""
    # Without the variables that git sets for a hook, which would name another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(source), *arguments],
            capture_output=True,
            check=True,
            timeout=GIT_SECONDS,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").rstrip()


def _versions() -> dict[str, str]:
    versions = {"version.python": platform.python_version(), "version.digit-exp": version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[f"version.{package}"] = metadata.version(package)
    return versions


def _machine() -> dict[str, str]:
    libraries = {
        f"{pool['internal_api']} {pool['version']} for {pool.get('architecture', 'any')},"
        f" threads: {pool['num_threads']}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return {
        "machine.system": platform.platform(),
        "machine.architecture": platform.machine(),
        "machine.cores": str(os.cpu_count()),
        "machine.blas": "; ".join(sorted(libraries)) or "unknown",
    }
