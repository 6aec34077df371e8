"""Where the YAML files are, and what each is for. Quick to import, for `--help`."""

from collections.abc import Iterator
from pathlib import Path

DIRECTIVES = ("@package", "yaml-language-server:")


def conf_dir() -> Path:
    """Return the folder of the YAML files: inside an installed package, or the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"


def choices(group: str, own: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the name of each choice in a group and the sentence that its file begins with.

    `own` is a folder of one's own files, as `--config-dir` names it.
    """
    for folder in (conf_dir(), *([] if own is None else [Path(own)])):
        for file in sorted((folder / group).glob("*.yaml")):
            yield file.stem, _purpose(file)


def _purpose(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    comments = (line.removeprefix("# ") for line in lines if line.startswith("# "))
    return next((line for line in comments if not line.startswith(DIRECTIVES)), "")
