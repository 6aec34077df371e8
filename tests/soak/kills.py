"""Kill runs at random moments, resume them, and compare what they end with, bit for bit.

    python tests/soak/kills.py 50 --seed 1 --folder /tmp/kills

Every kill is SIGKILL. The moment is drawn between the start of the process and the time that an
undisturbed run takes, so that starting, creating the store, training, saving, logging, drawing and
ending are all hit. A run is resumed until it ends, and is killed again on its way.
Prints a line for each run and the table of `docs/reliability.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

WORDS = ["data=synthetic", "model.hidden=[16]", "trainer.epochs=6", "augmentation=shift"]
WORDS += ["regularization=dropout", "trainer.ema=0.9", "trainer.early_stopping.patience=4"]
COMMAND = [sys.executable, "-m", "digit_exp"]

KILLS_A_RUN = 8
"""At most: it has to end."""


def main() -> int:
    """Return 0 if every run ended as the undisturbed one did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    options.folder.mkdir(parents=True, exist_ok=True)
    undisturbed = options.folder / "undisturbed"
    seconds = _undisturbed(undisturbed)
    expected = _outcome(undisturbed)
    kills, failures, number = 0, 0, 0
    where: Counter[str] = Counter()
    while kills < options.kills:
        number += 1
        folder = options.folder / f"run-{number}"
        moments = _disturbed(folder, draw, seconds, where)
        kills += len(moments)
        problem = _difference(_outcome(folder), expected)
        failures += problem is not None
        print(f"run {number}: killed after {moments} s: {problem or 'as undisturbed'}", flush=True)
        if problem is None:
            shutil.rmtree(folder)
    print(f"\n{kills} kills of {number} runs, seed {options.seed}: {failures} ended otherwise")
    print("what each killed process had come to:", dict(where.most_common()))
    return int(failures > 0)


def _undisturbed(folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    subprocess.run([*COMMAND, *WORDS], cwd=folder, check=True, capture_output=True)
    return time.monotonic() - started


def _disturbed(
    folder: Path, draw: random.Random, seconds: float, where: Counter[str]
) -> list[float]:
    """Run in `folder`, kill now and then, resume until the end; return the moments of the kills."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    moments = []
    while True:
        moment = round(draw.uniform(0, seconds), 2) if len(moments) < KILLS_A_RUN else None
        if _ended(folder, moment):
            return moments
        assert moment is not None
        moments.append(moment)
        where[_stage(folder)] += 1


def _ended(folder: Path, moment: float | None) -> bool:
    """Start or resume the run; return whether it came to its end before the moment of the kill."""
    words = ["resume=latest"] if _resumable(folder) else WORDS
    with (folder / "printed").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    if code == 2 and _finished(folder):  # killed between its last word and its exit
        return True
    assert code == 0, (folder / "printed").read_text(errors="replace")[-2000:]
    return True


def _resumable(folder: Path) -> bool:
    return any(folder.glob("outputs/*/*/checkpoints/last.npz"))


def _finished(folder: Path) -> bool:
    notes = folder.glob("outputs/*/*/run.json")
    return any(json.loads(note.read_text())["status"] == "FINISHED" for note in notes)


def _stage(folder: Path) -> str:
    """Return how far a killed run had come, by what it left."""
    if not any(folder.glob("outputs/*/*")):
        return "starting"
    if not (folder / "mlruns" / "mlflow.db").exists():
        return "before the store"
    if not _resumable(folder):
        return "opening the run"
    if any(folder.glob("outputs/*/*/figures/*.png")):
        return "drawing, sending, ending"
    return "training, saving, logging"


def _outcome(folder: Path) -> dict[str, object]:
    """Return what must be equal: weights, optimizer, predictions, summary, metrics, status."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    from digit_exp.tracking.mlflow.connect import connect
    from digit_exp.tracking.mlflow.sync.stored import is_unsent
    from digit_exp.tracking.mlflow.uri import locate

    (note,) = [n for n in folder.glob("outputs/*/*/run.json") if "FINISHED" in n.read_text()]
    found: dict[str, object] = {}
    names = ("checkpoints/last", "checkpoints/best", "val_predictions", "test_predictions")
    for file in (f"{name}.npz" for name in names):
        with np.load(note.parent / file) as arrays:
            for name in arrays.files:
                if name != "meta":
                    found[f"{file} {name}"] = arrays[name].tobytes()
    record = json.loads(note.read_text())
    found["summary"] = {k: v for k, v in record["summary"].items() if "seconds" not in k}
    client = connect(locate(None, folder))
    run = client.get_run(record["run_id"])
    found["status"] = run.info.status
    found["params"] = run.data.params
    for name in run.data.metrics:
        if "second" not in name and not name.startswith("system/"):
            points = client.get_metric_history(run.info.run_id, name)
            found[f"metric {name}"] = [(point.step, point.value) for point in points]
    experiment = client.get_experiment_by_name("digits").experiment_id
    others = [r.info.status for r in client.search_runs([experiment]) if r.info.status == "RUNNING"]
    found["called running"] = others
    drafts = [f.name for f in note.parent.rglob(".*") if f.name.endswith(".draft")]
    unsent = ["unsent"] if is_unsent(note.parent, record["run_id"]) else []
    found["left over"] = drafts + unsent
    artifacts = [a.path for a in client.list_artifacts(run.info.run_id)]
    found["artifacts"] = sorted(artifacts)
    return found


def _difference(found: dict[str, object], expected: dict[str, object]) -> str | None:
    keys = {*found, *expected}
    different = sorted(key for key in keys if found.get(key) != expected.get(key))
    return f"differs in {', '.join(different)}" if different else None


if __name__ == "__main__":
    sys.exit(main())
