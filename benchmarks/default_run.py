"""The default run on several seeds: what it reaches and how long it takes, as a user sees it.

    python benchmarks/default_run.py [SEED ...]

Every run is the real command in a new process and an empty folder, tracking and figures included.
The table is Markdown; the last row holds the medians.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROW = "| {:>6} | {:>13} | {:>5} | {:>19} | {:>9} |"


def main() -> None:
    """Run every seed and print the table."""
    seeds = sys.argv[1:] or ["1", "2", "3"]
    print(ROW.format("seed", "test accuracy", "best", "training / s", "whole / s"))
    print(ROW.format(*["---:"] * 5))
    rows = [measure(seed) for seed in seeds]
    for seed, row in zip(seeds, rows, strict=True):
        print(shown(seed, row))
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    print(shown("median", medians))


def measure(seed: str) -> dict[str, float]:
    """Run one seed and return what it printed, and its wall time."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = [sys.executable, "-m", "digit_exp", f"seed={seed}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        assert (Path(folder) / "mlruns" / "mlflow.db").exists()
    names = ("test_acc", "best_epoch", "training_seconds")
    summary = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    printed = {words[0]: float(words[1]) for words in summary if words[0] in names}
    return {**printed, "seconds": seconds}


def shown(name: str, row: dict[str, float]) -> str:
    """Return a row of the table."""
    accuracy, epoch = f"{row['test_acc']:.2%}", f"{row['best_epoch']:g}"
    return ROW.format(
        name, accuracy, epoch, f"{row['training_seconds']:.1f}", f"{row['seconds']:.1f}"
    )


if __name__ == "__main__":
    main()
