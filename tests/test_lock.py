"""The lock file holds what the project asks for, and says nothing of the machine that made it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dev"]]
AGAIN = (
    "uv pip compile pyproject.toml --extra test --extra dev --universal --no-header --no-annotate"
    " --generate-hashes --no-emit-index-url -o requirements.lock"
)


def locked():
    """Return the versions of each package; there may be several, for several Pythons."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@pytest.mark.parametrize("text", [text for text in WANTED if not text.startswith("digit-exp")])
def test_every_dependency_is_locked_within_its_bounds(text):
    wanted = Requirement(text)
    versions = locked().get(canonicalize_name(wanted.name))
    assert versions, f"{wanted.name} is not locked; run: {AGAIN}"
    for version in versions:
        assert version in wanted.specifier, f"run: {AGAIN}"
        assert re.search(r"<\d|==", str(wanted.specifier)) or wanted.name in EXTRAS_WITHOUT_BOUND


EXTRAS_WITHOUT_BOUND = {
    "scipy-stubs",
    "pandas-stubs",
    "types-tqdm",
    "build",
}  # tools of developers only


def test_the_lock_file_names_no_host_and_no_place():
    assert "://" not in LOCK
    assert not re.search(r"(^|[\s=])/\w", LOCK)


def test_every_version_has_a_checksum():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())
