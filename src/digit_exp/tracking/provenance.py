"""Provenance of a run: commit, packages, machine; no environment variables, which have secrets."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

from threadpoolctl import threadpool_info

from digit_exp.registry import is_own
from digit_exp.tracking.tags import Tag
from digit_exp.version import version

PACKAGES = ("numpy", "numba", "scipy", "hydra-core", "omegaconf", "mlflow", "matplotlib")
HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
SKIPPED = {"__pycache__", "conf", "mnist"}
"""Folders whose contents count elsewhere: in the configuration, and in the digest of the data."""
SCIPY = {"scipy", "scipy.libs"}
"""Folders with a BLAS that is loaded at some time or other, and that training does not use."""
SECRETS = [
    f":(top,exclude,glob)**/{name}" for name in (".env*", "*.env", "*.pem", "*.key", ".netrc")
]
LONGEST_DIFF = 1_000_000  # characters
GIT_SECONDS = 10


def provenance(seed: int, source: Path = HERE) -> dict[str, str]:
    """Return the tags with which a run can be repeated, as far as they are known."""
    digest = source_digest()
    known = {} if digest is None else {Tag.SOURCE_DIGEST: digest}
    return {"seed": str(seed), **git_tags(source), **known, **_versions(), **_machine()}


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
        **{key: text for each in modules for key, text in _imported_versions(each)},
    }


def git_tags(source: Path = HERE) -> dict[str, str]:
    """Return commit, branch and whether files differ from it; nothing for an installed package."""
    found = _checkout(source)
    if found is None:
        return {}
    return {
        Tag.COMMIT: found.commit,
        **({"mlflow.source.git.branch": found.branch} if found.branch else {}),
        "git.dirty": found.dirty,
    }


def git_diff(source: Path = HERE) -> str | None:
    """Return what differs from the commit, in tracked files, or None if nothing does.

    Files that usually hold secrets are left out.
    """
    found = _checkout(source)
    if found is None or not found.diff:
        return None
    if (more := len(found.diff) - LONGEST_DIFF) > 0:
        return f"{found.diff[:LONGEST_DIFF]}\n... {more:,} characters left out\n"
    return f"{found.diff}\n"


@dataclass(frozen=True)
class _Checkout:
    """The state of a git checkout."""

    commit: str
    branch: str
    dirty: str
    """true, false or unknown."""
    diff: str | None


@cache  # the code that runs was read when the process began, however many runs it makes
def _checkout(source: Path) -> _Checkout | None:
    """Ask git; None unless it tracks these files: an environment may be inside a repository."""
    if not _git(source, "ls-files", "."):
        return None
    status = _git(source, "status", "--porcelain=v2", "--branch", "--untracked-files=normal")
    if status is None:  # a large repository may take too long
        commit = _git(source, "rev-parse", "HEAD")
        return _Checkout(commit, "", "unknown", _diff(source)) if commit else None
    lines = status.splitlines()
    head = dict(line.split(" ", 2)[1:] for line in lines if line.startswith("# branch."))
    commit, branch = head.get("branch.oid", "(initial)"), head.get("branch.head", "")
    if commit == "(initial)":
        return None
    changes = [line for line in lines if not line.startswith("#")]
    diff = _diff(source) if any(not line.startswith("?") for line in changes) else None
    branch = "" if branch == "(detached)" else branch
    return _Checkout(commit, branch, str(bool(changes)).lower(), diff)


def _diff(source: Path) -> str | None:
    options = ("--no-color", "--no-ext-diff", "--no-textconv")
    return _git(source, "diff", "HEAD", *options, "--", ":/", *SECRETS)


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


@cache
def _versions() -> Mapping[str, str]:
    versions = {"version.python": platform.python_version(), "version.digit-exp": version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[f"version.{package}"] = metadata.version(package)
    return versions


def _imported_versions(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the version of each library of which a module has something by name."""
    for value in list(vars(module).values()):
        name = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
        root = str(name).partition(".")[0]
        version = getattr(sys.modules.get(root), "__version__", None)
        if isinstance(version, str) and root != "digit_exp":
            yield f"version.{root}", version


def _machine() -> dict[str, str]:
    libraries = {
        f"{pool['internal_api']} {pool['version']} for {pool.get('architecture', 'any')},"
        f" threads: {pool['num_threads']}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and not SCIPY & {*Path(pool["filepath"]).parts}
    }
    return {
        "machine.system": platform.platform(),
        "machine.architecture": platform.machine(),
        "machine.cores": str(os.cpu_count()),
        "machine.blas": "; ".join(sorted(libraries)) or "unknown",
    }


@cache
def source_digest(package: Path = PACKAGE) -> str | None:
    """Return the SHA-256 of all files in `package`, or None if they cannot be read.

    git is not asked: it may be missing, refuse another user's checkout, or hide files that are new.
    """
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
