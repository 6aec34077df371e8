"""Kernels: compiled once, kept on disk, and never in the way of a run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digit_exp.jit import fingerprint, inline, kernel

MODULE = """
import logging
import sys
import numpy as np
from digit_exp.jit import inline, kernel

FACTOR = {factor}

@inline
def twice(x):
    return x + x * FACTOR

@kernel
def double(values):
    for i in range(values.size):
        values[i] = twice(values[i])

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    assert "numba" not in sys.modules
    values = np.arange(4.0)
    double(values)
    print(values.tolist())
"""


@pytest.fixture
def run(tmp_path):
    """Run a module with a kernel in a process of its own, and return what it prints."""

    def run(factor: int = 1, **environment: str) -> str:
        module = tmp_path / "module.py"
        module.write_text(MODULE.format(factor=factor))
        done = subprocess.run(
            [sys.executable, str(module)],
            env={**os.environ, "HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_only_what_is_new_changed_or_damaged_is_compiled(run, tmp_path):
    assert "compiling" in run()
    assert run() == "[0.0, 2.0, 4.0, 6.0]\n"
    for name in ("*.nbi", "*.nbc"):
        (damaged,) = (tmp_path / "__pycache__").glob(name)
        damaged.write_bytes(damaged.read_bytes()[:100])
        assert "[0.0, 2.0, 4.0, 6.0]" in run()
        assert "compiling" not in run()
    assert "[0.0, 3.0, 6.0, 9.0]" in run(factor=2)


def test_nothing_that_can_be_written_is_no_error(run, tmp_path):
    for name in ("__pycache__", "home"):  # files where folders should be
        (tmp_path / name).write_text("")
    assert "[0.0, 2.0, 4.0, 6.0]" in run(XDG_CACHE_HOME=str(tmp_path / "home" / "cache"))


def test_workers_that_start_together_compile_once(run, tmp_path):
    module = tmp_path / "module.py"
    module.write_text(MODULE.format(factor=1))
    workers = [
        subprocess.Popen([sys.executable, str(module)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [worker.communicate(timeout=120)[0] for worker in workers]
    assert all("[0.0, 2.0, 4.0, 6.0]" in output for output in said)
    assert sum("compiling" in output for output in said) == 1


def test_float32_stays_float32():
    @kernel
    def halve(values, half):
        for i in range(values.size):
            values[i] = values[i] * half

    values = np.array([1, 2, 3], np.float32)
    halve(values, np.float32(0.5))
    assert values.tolist() == [0.5, 1, 1.5]


def test_the_plain_function_does_the_same():
    @kernel
    def add(a, b):
        for i in range(a.size):
            a[i] += b[i]

    fast, slow = np.arange(3.0), np.arange(3.0)
    add(fast, np.ones(3))
    add.plain(slow, np.ones(3))
    assert fast.tolist() == slow.tolist() == [1, 2, 3]


def test_the_fingerprint_follows_what_a_function_calls():
    def calling(rule):
        def run(x):
            return rule(x)

        return run

    @inline
    def once(x):
        return x

    @inline
    def twice(x):
        return x + x

    assert fingerprint(calling(once)) != fingerprint(calling(twice))
    assert fingerprint(calling(once)) == fingerprint(calling(once))


def test_importing_the_components_imports_no_numba():
    code = (
        "import sys, digit_exp.nn.models, digit_exp.optim.optimizers, digit_exp.data.augmentations;"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent, timeout=60)
