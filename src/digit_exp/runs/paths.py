"""The names of the files in the folder of a run."""

from __future__ import annotations

from pathlib import Path

RECORD = "run.json"
CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
"""A line for each epoch: its number `epoch`, its `time`, and its metrics, null if not finite."""
SYSTEM_METRICS = "system.jsonl"
"""A line for each sample: its `second` since the run started, its `time`, and its metrics."""
LOG = "digit_exp.log"
NETWORK, DIFF, TRACEBACK = "network.txt", "git_diff.patch", "traceback.txt"
LAST_CHECKPOINT = Path("checkpoints") / "last.npz"
LAST_FINITE = Path("checkpoints") / "last_finite.npz"
"""The network of a diverged run, saved shortly before it diverged."""
TEST_PREDICTIONS = "test_predictions.npz"
VAL_PREDICTIONS = "val_predictions.npz"
"""Networks are compared by these; the test set has no part in a choice."""
MODEL = "model.npz"
"""The network as it is served."""
