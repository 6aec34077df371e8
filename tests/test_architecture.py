"""What the mathematics loads, seen in a fresh interpreter. `lint-imports` holds the rest."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
