from pathlib import Path

import pytest

from digit_exp.registry import ConfigError
from digit_exp.tracking.mlflow.uri import Store, locate


def test_without_an_address_runs_go_to_mlruns_of_the_folder(tmp_path):
    store = locate(None, tmp_path)
    assert store.uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert store.artifact_location("digits") == f"{(tmp_path / 'mlruns/artifacts/digits').as_uri()}"


def test_an_experiment_cannot_place_its_files_outside_the_store(tmp_path):
    location = locate(None, tmp_path).artifact_location("../../else where")
    assert location == f"{(tmp_path / 'mlruns/artifacts').as_uri()}/.._.._else%20where"


def test_the_environment_decides_only_when_nothing_else_does(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert locate(None, tmp_path).uri == "http://server:5000"
    assert locate("http://other:5000", tmp_path).uri == "http://other:5000"


def test_a_relative_database_is_seen_from_the_folder(tmp_path):
    store = locate("sqlite:///runs/a b ö.db?timeout=5", tmp_path)
    assert store.uri == f"sqlite:///{tmp_path}/runs/a b ö.db?timeout=5"
    assert store.database == tmp_path / "runs/a b ö.db"


def test_a_server_chooses_where_artifacts_go():
    assert locate("https://host/mlflow", Path()).artifact_location("digits") is None


@pytest.mark.parametrize("uri", ["file:./mlruns", "file:///tmp/mlruns", "mlruns", "./mlruns"])
def test_a_folder_is_refused_with_what_to_use_instead(uri, tmp_path):
    with pytest.raises(ConfigError, match=r"tracking\.uri: .* is a folder.*sqlite:///runs\.db"):
        locate(uri, tmp_path)


@pytest.mark.parametrize("uri", ["localhost:5000", "127.0.0.1:5000/mlflow", "my-host.org:80"])
def test_a_server_without_its_scheme_is_told_the_whole_address(uri, tmp_path):
    with pytest.raises(
        ConfigError, match=f"tracking.uri: '{uri}' .*write tracking.uri=http://{uri}"
    ):
        locate(uri, tmp_path)
    assert locate(f"http://{uri}", tmp_path).is_server


def test_an_error_names_the_environment_variable_that_caused_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI: 'mlruns' is a folder"):
        locate(None, tmp_path)


@pytest.mark.parametrize("name", ["50%25", "why?"])
def test_a_path_that_an_address_would_change_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="Rename the folder"):
        locate(None, tmp_path / name)


def test_a_database_in_memory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="keeps nothing; say tracking=none"):
        locate("sqlite:///:memory:", tmp_path)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@host:5000", "https://me:***@host:5000"),
        ("https://host:5000", "https://host:5000"),
        ("sqlite:////home/me@work/a:b/runs.db", "sqlite:////home/me@work/a:b/runs.db"),
    ],
)
def test_a_password_is_never_shown(uri, shown):
    assert Store(uri, Path()).address == shown
