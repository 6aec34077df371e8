"""Where the YAML files of the configuration lie. Imports nothing, so that `--help` is quick."""

from pathlib import Path


def conf_dir() -> Path:
    """Return the folder of the YAML files: inside an installed package, or the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"
