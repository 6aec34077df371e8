"""MLflow's page as `digit-exp ui` serves it, in a browser that has never been there."""

import shutil
import subprocess
from contextlib import contextmanager

import pytest

from digit_exp.tracking.mlflow.ui_server import free_port, web_page
from digit_exp.tracking.mlflow.uri import locate
from tracked_runs import epochs, tracked

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--run-all-compositor-stages-before-draw", "--virtual-time-budget=20000"),
]


@contextmanager
def served(folder, start=""):
    """Serve the store of a folder, and yield a function that returns a page as it is drawn."""
    store, port = locate(None, folder), free_port(5900)
    with web_page(store, port, start):

        def drawn(page, profile="first"):
            where = f"--user-data-dir={folder / profile}"
            command = [CHROMIUM, *QUIET, where, "--dump-dom", f"http://127.0.0.1:{port}{page}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
            return done.stdout

        yield drawn


@pytest.mark.slow  # ten seconds: a server and a browser, twice
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_page_opens_for_training_runs_without_the_assistant(folder):
    losses = [{"train_loss": 2.0 / n, "val_loss": 2.5 / n} for n in (1, 2, 3)]
    with tracked(folder, epochs=epochs(*losses)) as run:
        pass
    charts = f"/#/experiments/1/runs/{run.run_id}/model-metrics"
    with served(folder, start=charts) as drawn:
        plain = drawn("/")
        home = drawn("/#/", profile="second")
        page = drawn(charts, profile="third")
    for seen in (plain, home, page):
        assert "Model registry" in seen
        assert "MCP registry" not in seen  # among the tools for language models
        assert "Ask questions about" not in seen  # of the Assistant's panel
        assert "usage data" not in seen
    assert "train_loss vs val_loss" in page
    assert "train_loss vs val_loss" in plain
    assert "Recent Experiments" in home
