"""The machine: cores, BLAS, compiled kernels, terminal, figures, git."""

import os
import shutil
import subprocess
import sys

from digit_exp.doctor.check import Check, warning
from digit_exp.tracking.tags import Tag

VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that change BLAS."""

PRINTED = "─ × ± – °"
"""Characters that the program prints and not every terminal has."""


def cores() -> Check:
    """Look at how many cores this process may use, and how busy they are."""
    all_cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else all_cores
    found = f"{usable} of {all_cores} can be used"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > usable + 1:
        busy = f"{found}; {load:.1f} processes want to run"
        return warning(busy, "other programs slow runs down: measure no times")
    return Check(f"{found}; load {load:.1f}")


def blas() -> Check:
    """Look at which library multiplies matrices, for which processor, in how many threads."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))  # loads the library
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if not pools:
        advice = "trainer.threads has no effect; NumPy from PyPI brings OpenBLAS"
        return warning("a library that threadpoolctl does not know", advice)
    found = {
        f"{pool['internal_api']} {pool['version']}, kernels for"
        f" {pool.get('architecture') or 'any processor'}, {pool['num_threads']} thread(s) unless"
        " trainer.threads says otherwise"
        for pool in pools
    }
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return Check("; ".join([*sorted(found), *given]))


def kernels() -> Check:
    """Look at where compiled kernels are kept, if anywhere."""
    from digit_exp.nn.kernels import relu_backward

    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("0", ""):
        advice = "unset NUMBA_DISABLE_JIT: runs take a hundred times as long with it"
        return warning("NUMBA_DISABLE_JIT is set, nothing is compiled", advice)
    folder = relu_backward.cache_folder
    if folder is None:
        advice = "every run compiles for seconds: set NUMBA_CACHE_DIR to a folder it can write"
        return warning("no folder for compiled kernels can be written", advice)
    kept = len(list(folder.glob("*.nbi"))) if folder.is_dir() else 0
    return Check(f"{kept} compiled in {folder}")


def terminal() -> Check:
    """Look at whether the output can show every character that is printed."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        PRINTED.encode(encoding)
    except UnicodeEncodeError:
        advice = "set PYTHONUTF8=1, or a UTF-8 locale: missing characters are printed as '?'"
        return warning(f"the encoding {encoding} lacks some of {PRINTED!a}", advice)
    return Check(f"encoding {encoding}, {shutil.get_terminal_size().columns} columns")


def figures() -> Check:
    """Draw a figure, to nowhere."""
    from digit_exp.plots.parts.canvas import drawn_with

    return Check(drawn_with())


def git() -> Check:
    """Look at whether runs can record the commit of the code."""
    from digit_exp.tracking.provenance import git_tags

    if (program := shutil.which("git")) is None:
        return warning("not found", "install git: runs then record the commit of the code")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    tags = git_tags()
    commit = tags.get(Tag.COMMIT)
    state = "with changes" if tags.get("git.dirty") == "true" else "without changes"
    code = f"the code is commit {commit[:12]} {state}" if commit else "the code is in no repository"
    return Check(f"{done.stdout.strip()}; {code}")
