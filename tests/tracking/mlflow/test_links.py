import sys
from pathlib import Path

from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.uri import locate

PAGE = "/#/experiments/1/runs/abc?workflowType=machine_learning"


def test_the_command_is_short_where_it_is_pasted(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert links.lines(locate(None, tmp_path), "1", "abc") == [
        ".venv/bin/python -m digit_exp ui abc",
        f"http://127.0.0.1:5000{PAGE}",
    ]


def test_the_command_says_where_the_store_is_if_it_is_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python")
    elsewhere = locate("sqlite:////a b/runs.db", tmp_path)
    command, _ = links.lines(elsewhere, "1", "abc")
    assert (
        command == "'/opt/my python/bin/python' -m digit_exp ui abc --uri 'sqlite:////a b/runs.db'"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere.uri)
    assert "--uri" not in links.lines(elsewhere, "1", "abc")[0]


def test_a_sweep_is_named_as_the_shell_wants_it(tmp_path):
    command, link = links.opening(locate(None, tmp_path), "/#/page", "my sweep")
    assert command.endswith("-m digit_exp ui 'my sweep'")
    assert link == "http://127.0.0.1:5000/#/page"


def test_a_server_needs_only_a_link():
    assert links.lines(locate("http://host:80/", Path()), "1", "abc") == [f"http://host:80{PAGE}"]
