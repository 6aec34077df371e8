import sys
from pathlib import Path

from digit_exp.tracking import viewing
from digit_exp.tracking.store import locate

PAGE = "/#/experiments/1/runs/abc?workflowType=machine_learning"


def test_the_command_is_short_where_it_is_pasted(tmp_path, monkeypatch):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/mlflow").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert viewing.lines(locate(None, tmp_path), "1", "abc") == [
        ".venv/bin/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db"
        " --port 5000 --workers 1",
        f"http://127.0.0.1:5000{PAGE}",
    ]


def test_the_command_survives_spaces_and_a_missing_script(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python")
    command, _ = viewing.lines(locate("sqlite:////a b/runs.db", tmp_path), "1", "abc")
    assert command.startswith("'/opt/my python/bin/python' -m mlflow ui")
    assert "--backend-store-uri 'sqlite:////a b/runs.db'" in command


def test_a_server_needs_only_a_link():
    assert viewing.lines(locate("http://host:80/", Path()), "1", "abc") == [f"http://host:80{PAGE}"]
