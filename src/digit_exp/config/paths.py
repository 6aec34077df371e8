"""Where the YAML files are, and what each is for. Quick to import, for `--help`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

DIRECTIVES = ("@package", "yaml-language-server:")


def conf_dir() -> Path:
    """Return the folder of the YAML files: inside an installed package, or the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"


def choices(group: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each choice in a group and the sentence that its file begins with."""
    for file in sorted((conf_dir() / group).glob("*.yaml")):
        yield file.stem, _purpose(file)


def _purpose(file: Path) -> str:
    comments = (line.removeprefix("# ") for line in file.read_text(encoding="utf-8").splitlines())
    return next(line for line in comments if not line.startswith(DIRECTIVES))
