"""A run on several seeds: what it reaches, how long it takes and how much memory.

    python benchmarks/default_run.py [SEED ...] [KEY=VALUE ...]

Without a KEY it is the default run; `experiment=five_minutes` measures that preset.
Every run is the real command in a new process and an empty folder, tracking and figures included.
"the rest" is the whole without the training; of that, the figures (matplotlib's import, drawing
and writing) are a part. The table is Markdown; the last row holds the medians.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from measuring import machine, run, summary, table

COLUMNS = {
    "test accuracy": lambda r: f"{r['test_acc']:.2%}",
    "best epoch": lambda r: f"{r['best_epoch']:g}",
    "training / s": lambda r: f"{r['training_seconds']:.1f}",
    "whole / s": lambda r: f"{r['whole']:.1f}",
    "the rest / s": lambda r: f"{r['whole'] - r['training_seconds']:.1f}",
    "figures / s": lambda r: f"{r['figures']:.1f}",
    "memory / MB": lambda r: f"{r['memory']:.0f}",
}

PROGRAM = """
import time
from digit_exp.cli import entry
from digit_exp.runs import train_and_evaluate as steps

def timed(*arguments, draw=steps.draw):
    started = time.perf_counter()
    draw(*arguments)
    print(f"  figures {time.perf_counter() - started:.4f}")

steps.draw = timed
raise SystemExit(entry.main())
"""


def main() -> None:
    """Run every seed and print the table."""
    overrides = [word for word in sys.argv[1:] if "=" in word]
    seeds = [word for word in sys.argv[1:] if "=" not in word] or ["1", "2", "3"]
    results = {seed: measure(seed, overrides) for seed in seeds}
    names = next(iter(results.values()))
    results["median"] = {
        name: statistics.median(result[name] for result in results.values()) for name in names
    }
    rows = [[seed, *(show(r) for show in COLUMNS.values())] for seed, r in results.items()]
    print(table(["seed", *COLUMNS], rows))
    print(f"\n{machine()}")


def measure(seed: str, overrides: list[str]) -> dict[str, float]:
    """Run one seed and return what it printed, its wall time and the memory it took."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(sys.executable, "-c", PROGRAM, f"seed={seed}", *overrides, folder=folder)
        assert (Path(folder) / "mlruns" / "mlflow.db").exists()
    return {**summary(done.output), "whole": done.seconds, "memory": done.megabytes}


if __name__ == "__main__":
    main()
