"""Whether the program, the packages that it needs and its own files are there."""

import platform
import sys
from importlib import metadata
from pathlib import Path

from digit_exp.doctor.check import Check, error
from digit_exp.version import checkout, requirements, version

SHOWN = ("numpy", "scipy", "numba", "hydra-core", "mlflow", "matplotlib", "optuna")
"""Packages whose versions are shown; the others are checked too."""

INSTALL = "install again: pip install -e . in a checkout, else pip install digit-exp"


def program() -> Check:
    """Look at which copy of the program runs, and in which Python."""
    folder = Path(__file__).parents[1]
    kind = "installed in" if checkout() is None else "a checkout,"
    python = f"Python {platform.python_version()} at {sys.executable}"
    return Check(f"{version()}, {kind} {folder}; {python}")


def packages() -> Check:
    """Compare what is installed with what is required."""
    from packaging.requirements import Requirement

    wrong = []
    for requirement in map(Requirement, requirements()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} is not {requirement.specifier}")
    if wrong:
        return error("; ".join(wrong), INSTALL)
    return Check(", ".join(f"{name} {metadata.version(name)}" for name in SHOWN))


def configuration() -> Check:
    """Compose the default configuration."""
    from digit_exp.config.compose import compose
    from digit_exp.config.paths import conf_dir

    folder = conf_dir()
    if not (folder / "config.yaml").is_file():
        return error(f"{folder} has no config.yaml", INSTALL)
    compose([])
    files = len(list(folder.rglob("*.yaml")))
    return Check(f"{files} files in {folder}; the defaults are valid")


def package_data() -> Check:
    """Read the data set and the templates that belong to the package."""
    from digit_exp.data.sources import Mnist

    dataset = Mnist().load()
    templates = Path(__file__).parents[1] / "analysis" / "report" / "templates"
    if not any(templates.glob("*.j2")):
        return error(f"{templates} has no templates", INSTALL)
    count = len(dataset.train) + len(dataset.test)
    return Check(f"MNIST with {count:,} images; the templates of reports")
