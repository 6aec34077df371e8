"""Sizes and names of the tree, and what the mathematics loads. `lint-imports` holds the rest."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "digit_exp"
MOST_MODULES, MOST_LINES = 14, 300

FOREIGN = ["hydra", "omegaconf", "mlflow", "matplotlib", "scipy", "pooch", "requests"]
MODULES = [
    "digit_exp.nn.models",
    "digit_exp.optim.optimizers",
    "digit_exp.optim.schedules",
    "digit_exp.optim.regularizers",
    "digit_exp.data.sources",
    "digit_exp.data.download",
    "digit_exp.data.batches",
    "digit_exp.data.augmentations",
    "digit_exp.training.trainer",
    "digit_exp.training.checkpoint",
]


def loaded_by(*modules):
    """Return which foreign packages a fresh interpreter has after importing `modules`."""
    script = f"import sys, {', '.join(modules)}; print(*{{*{FOREIGN}}} & sys.modules.keys())"
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return sorted(output.stdout.split())


def test_network_optimizers_data_and_trainer_load_nothing_foreign():
    if found := loaded_by(*MODULES):
        culprits = {module: loaded_by(module) for module in MODULES}
        pytest.fail(f"{found} are loaded: {culprits}")


def test_what_is_loaded_is_seen():
    assert loaded_by("scipy", "omegaconf") == ["omegaconf", "scipy"]


def test_nothing_is_imported_from_a_conftest():
    """Folders have their own, and which of them answers to the name depends on what ran before."""
    tests = Path(__file__).parent.rglob("*.py")
    importing = re.compile(r"^\s*(from|import) conftest\b", re.MULTILINE)
    assert [file.name for file in tests if importing.search(file.read_text("utf-8"))] == []


def test_no_folder_has_too_many_modules():
    folders = [file.parent for file in SOURCE.rglob("*.py") if file.name != "__init__.py"]
    counts = {str(each.relative_to(SOURCE)): folders.count(each) for each in folders}
    assert {each: n for each, n in counts.items() if n > MOST_MODULES} == {}


def test_no_module_is_too_long():
    lines = {file: len(file.read_text("utf-8").splitlines()) for file in SOURCE.rglob("*.py")}
    assert {file.name: n for file, n in lines.items() if n > MOST_LINES} == {}


def test_the_tree_in_the_architecture_page_names_the_packages():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = {word.split("/")[-1] for word in re.findall(r"([\w/]+)/(?!\w)", page.split("```")[1])}
    packages = {file.parent for file in SOURCE.rglob("__init__.py")} - {SOURCE}
    assert named == {folder.name for folder in packages}
