"""What the benchmarks share: processes that take turns on given cores, and tables.

Whatever is compared runs in a process of its own, with its own libraries and threads, and all of
them take turns in every round: a machine that grows slower for a while slows everybody.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """A script that answers each line it is sent by a line of JSON.

    It runs on the last `cores` of those this process may use, with `threads` in every library.
    Its first answer says that it is ready, or why it cannot run.
    """

    def __init__(self, script: Path, *arguments: str, cores: int, threads: int) -> None:
        settings = {name: str(threads) for name in THREAD_VARIABLES}
        allowed = usable_cores()[-cores:]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
            preexec_fn=lambda: _pin(allowed),
        )
        self.ready: dict[str, object] = {}

    def wait(self) -> None:
        """Wait for the first answer."""
        self.ready = self._answer()

    def ask(self, line: str) -> dict[str, float]:
        """Send a line and return the answer."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _answer(self) -> dict:
        for line in self._process.stdout:
            if line.startswith("{"):  # some libraries print what nobody asked for
                return json.loads(line)
        raise SystemExit(f"a worker ended with exit code {self._process.wait()}")


@dataclass(frozen=True)
class Ran:
    """What a command took."""

    output: str
    seconds: float
    megabytes: float
    """The largest part of the memory that it held at a time."""


def run(*command: str, folder: str | Path, **variables: str) -> Ran:
    """Run a command as a person would, in `folder`."""
    environment = {**os.environ, **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every start would compile everything
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{text}")
    return Ran(text, seconds, usage.ru_maxrss / 1024)


def summary(output: str) -> dict[str, float]:
    """Return the numbers that a run of digit-exp ends with."""
    found = re.findall(r"^  (\w+) +([\d.]+)$", output, re.MULTILINE)
    return {name: float(value) for name, value in found}


def answer(values: Mapping[str, object]) -> None:
    """Answer the process that sent a line."""
    print(json.dumps(values), flush=True)


def take_turns(workers: Mapping[str, Worker], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Ask everyone once in every round, each time beginning with another one."""
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    names = list(workers)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            answers[name].append(workers[name].ask("go"))
    return answers


def pin_to_one_core() -> None:
    """Keep this process on the last core it may use, where the system allows that."""
    _pin(usable_cores()[-1:])


def machine() -> str:
    """Return the processor, the cores, and what NumPy multiplies matrices with."""
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = next(pool for pool in threadpool_info() if pool["user_api"] == "blas")
    kernel = f"{blas['internal_api']} {blas['version']} ({blas.get('architecture')})"
    return (
        f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" NumPy {np.__version__} with {kernel}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _pin(cores: Sequence[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
