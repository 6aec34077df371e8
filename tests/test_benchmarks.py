"""The scripts in benchmarks/ follow the code that they measure. Measuring itself takes too long."""

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("name", sorted(file.stem for file in BENCHMARKS.glob("*.py")))
def test_what_a_benchmark_measures_is_there(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="imported")
