import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.uri import locate

PAGE = "/#/experiments/1/runs/abc?workflowType=machine_learning"


@pytest.fixture(autouse=True)
def _nothing_answers(monkeypatch, servers):
    monkeypatch.setattr(links, "PORT", servers.free_port())


def test_the_command_is_short_where_it_is_pasted(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert links.lines(locate(None, tmp_path), "1", "abc") == [
        ".venv/bin/python -m digit_exp ui abc"
    ]


def test_the_command_says_where_the_store_is_if_it_is_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python")
    elsewhere = locate("sqlite:////a b/runs.db", tmp_path)
    (command,) = links.lines(elsewhere, "1", "abc")
    assert (
        command == "'/opt/my python/bin/python' -m digit_exp ui abc --uri 'sqlite:////a b/runs.db'"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere.uri)
    assert "--uri" not in links.lines(elsewhere, "1", "abc")[0]


def test_a_sweep_is_named_as_the_shell_wants_it(tmp_path):
    (command,) = links.opening(locate(None, tmp_path), "/#/page", "my sweep")
    assert command.endswith("-m digit_exp ui 'my sweep'")


@pytest.mark.parametrize(("body", "is_mlflow"), [(b"OK", True), (b"<html>", False)])
def test_a_link_is_given_only_where_mlflow_answers(tmp_path, monkeypatch, body, is_mlflow):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever).start()
        monkeypatch.setattr(links, "PORT", server.server_port)
        try:
            lines = links.opening(locate(None, tmp_path), "/#/page", "abc")
        finally:
            server.shutdown()
    assert lines[1:] == [f"http://127.0.0.1:{server.server_port}/#/page"] * is_mlflow


def test_the_address_of_a_page_is_one_where_nothing_answers_as_well(tmp_path):
    local = links.run_address(locate(None, tmp_path), "1", "abc")
    assert local == f"http://127.0.0.1:{links.PORT}{PAGE}"
    assert links.run_address(locate("http://host:80/", tmp_path), "1", "abc") == (
        f"http://host:80{PAGE}"
    )
    assert links.run_address(locate("databricks", tmp_path), "1", "abc") is None


def test_a_server_needs_only_a_link():
    assert links.lines(locate("http://host:80/", Path()), "1", "abc") == [f"http://host:80{PAGE}"]
