"""The specification's grid search beside scikit-learn's on the same grid, epochs and split.

    python benchmarks/sweep.py [--epochs 10] [--parts ours-2 ours-1 sklearn] [--show]

Ours is the real command with two workers, tracking, figures and report included, and once more
with one, for the parallel efficiency: the time with one worker over twice the time with two.
scikit-learn's is `GridSearchCV(MLPClassifier, n_jobs=2)`; nobody stops early, nothing is refitted.
Each part is kept in `benchmarks/results/sweep.json`, so that they can be measured one by one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from digit_exp.data.sources import Mnist
from digit_exp.data.splits import train_val_split
from digit_exp.rng import Rng
from measuring import THREAD_VARIABLES, machine, run, table

RESULTS = Path(__file__).parent / "results" / "sweep.json"
PARTS = ("ours-2", "ours-1", "sklearn")
GRID = {
    "hidden_layer_sizes": [(64, 32), (128, 64), (256, 128)],
    "learning_rate_init": [0.0001, 0.001, 0.01],
    "batch_size": [32, 64],
}


def main() -> None:
    """Measure the chosen parts and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--show", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in () if chosen.show else chosen.parts:
        seconds = (
            scikit_learn(chosen.epochs)
            if part == "sklearn"
            else ours(chosen.epochs, workers=int(part[-1]))
        )
        found.setdefault(f"{chosen.epochs}", {})[part] = round(seconds, 1)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{part}, {chosen.epochs} epochs: {seconds:.1f} s", flush=True)
    for epochs, parts in found.items():
        print(f"\n18 jobs of {epochs} epochs:\n\n{shown(parts)}")
    print(f"\n{machine()}")


def shown(parts: dict[str, float]) -> str:
    """Return the table of what was measured."""
    names = {"ours-2": "digit-exp, two workers", "ours-1": "digit-exp, one worker"}
    rows = [[names.get(part, "GridSearchCV, n_jobs=2"), f"{s:.0f}"] for part, s in parts.items()]
    if {"ours-2", "sklearn"} <= parts.keys():
        rows.append(["ours / GridSearchCV", f"{parts['ours-2'] / parts['sklearn']:.2f}"])
    if {"ours-2", "ours-1"} <= parts.keys():
        rows.append(["parallel efficiency", f"{parts['ours-1'] / parts['ours-2'] / 2:.2f}"])
    return table(["18 jobs", "seconds"], rows)


def ours(epochs: int, workers: int) -> float:
    """Return the seconds of the whole command."""
    parallel = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]
    words = [
        "sweep=grid",
        f"trainer.epochs={epochs}",
        "trainer.early_stopping.enabled=false",
        *(parallel if workers > 1 else []),
    ]
    with tempfile.TemporaryDirectory() as folder:
        return run(sys.executable, "-m", "digit_exp", *words, folder=folder).seconds


def scikit_learn(epochs: int) -> float:
    """Return the seconds of the search, with the data in memory as float32."""
    code = f"import sweep; print(sweep.search({epochs}))"
    one_thread = dict.fromkeys(THREAD_VARIABLES, "1")
    done = run(
        sys.executable, "-W", "ignore", "-c", code, folder=Path(__file__).parent, **one_thread
    )
    return float(done.output.split()[-1])


def search(epochs: int) -> float:
    """Run the search in this process and return its seconds."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.neural_network import MLPClassifier

    dataset = Mnist().load().train
    _, val = train_val_split(dataset, val_ratio=0.1, rng=Rng(42)("split"))
    pixels = dataset.images.reshape(len(dataset), -1).astype(np.float32) * np.float32(1 / 255)
    fold = np.full(len(dataset), -1)
    fold[val.rows] = 0
    model = MLPClassifier(max_iter=epochs, n_iter_no_change=epochs, tol=0, alpha=0, random_state=42)
    grid = GridSearchCV(model, GRID, n_jobs=2, cv=PredefinedSplit(fold), refit=False)
    started = time.perf_counter()
    grid.fit(pixels, dataset.labels)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
