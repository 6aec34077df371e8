"""Start several runs at once in an empty folder, round after round; nothing may be lost.

python tests/soak/together.py 20 --runs 8 --folder /tmp/together
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

EPOCHS = 4
COMMAND = [sys.executable, "-m", "digit_exp", "data=synthetic", "model.hidden=[8]"]


def main() -> int:
    """Return 0 if every run of every round ended, with each metric of each epoch once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    started, problems = time.monotonic(), 0
    for number in range(1, options.rounds + 1):
        folder = options.folder / f"round-{number}"
        found = _round(folder, options.runs)
        problems += len(found)
        print(f"round {number}: {'; '.join(found) or 'nothing lost'}", flush=True)
        if not found:
            shutil.rmtree(folder)
    minutes = (time.monotonic() - started) / 60
    print(f"\n{options.rounds} rounds of {options.runs} runs at once, in {minutes:.0f} minutes:")
    print(f"{problems} problems")
    return int(problems > 0)


def _round(folder: Path, runs: int) -> list[str]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    processes = [
        subprocess.Popen(
            [*COMMAND, f"trainer.epochs={EPOCHS}", "run_name=same", f"seed={seed}"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(runs)
    ]
    errors = [process.communicate()[1] for process in processes]
    problems = [
        f"exit code {process.returncode}: {error[-300:]}"
        for process, error in zip(processes, errors, strict=True)
        if process.returncode
    ]
    folders = len(list(folder.glob("outputs/*/*/run.json")))
    return problems + ([] if folders == runs else [f"{folders} folders"]) + _lost(folder, runs)


def _lost(folder: Path, runs: int) -> list[str]:
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    from digit_exp.tracking.mlflow.connect import connect
    from digit_exp.tracking.mlflow.uri import locate

    client = connect(locate(None, folder))
    experiment = client.get_experiment_by_name("digits").experiment_id
    found = client.search_runs([experiment])
    problems = [] if len(found) == runs else [f"{len(found)} runs"]
    for run in found:
        if run.info.status != "FINISHED":
            problems.append(run.info.status)
        for name in ("train_loss", "val_acc"):
            points = client.get_metric_history(run.info.run_id, name)
            if sorted(point.step for point in points) != list(range(1, EPOCHS + 1)):
                problems.append(f"{name} at {[point.step for point in points]}")
        if "test_acc" not in run.data.metrics:
            problems.append("no test_acc")
    return problems


if __name__ == "__main__":
    sys.exit(main())
