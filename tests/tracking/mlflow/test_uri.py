from pathlib import Path
from urllib.parse import unquote

import pytest

from digit_exp.config.schema import TrackingSettings
from digit_exp.registry import ConfigError
from digit_exp.tracking.mlflow.uri import Store, hidden, locate, masked


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


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///%3Amemory%3A",
        "sqlite+pysqlite://",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///?timeout=5",
        "sqlite:///x.db?mode=memory&uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "SQLite://",
    ],
)
def test_a_database_that_forgets_is_refused_in_every_spelling(uri, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"keeps nothing.*say tracking=none"):
        locate(uri, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ConfigError, match=r"MLFLOW_TRACKING_URI: .*keeps nothing"):
        locate(None, tmp_path)


@pytest.mark.parametrize("uri", ["sqlite:////dev/null", "sqlite:///.", "sqlite+aio:///x.db"])
def test_what_is_no_plain_database_file_is_refused(uri, tmp_path):
    with pytest.raises(ConfigError, match=r"tracking\.uri: .*(not a file|sqlite:///runs\.db)"):
        locate(uri, tmp_path)


def test_the_driver_of_python_is_the_usual_one(tmp_path):
    assert locate("sqlite+pysqlite:///runs.db", tmp_path) == locate("sqlite:///runs.db", tmp_path)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@host:5000", "https://me:***@host:5000"),
        ("https://host:5000", "https://host:5000"),
        ("https://token@host", "https://***@host"),
        ("sqlite:////home/me@work/a:b/runs.db", "sqlite:////home/me@work/a:b/runs.db"),
        ("postgresql://host/db?sslmode=require", "postgresql://host/db?sslmode=require"),
    ],
)
def test_a_password_is_never_shown(uri, shown):
    assert Store(uri, Path()).address == shown


SECRETS = ["QA/QB", "Q@Q", "Q%40Q", "Q%Q", "Q?Q", "Q#Q", "Q:Q", "Q@Q/Q@Q", "QÄ&Q", "Q Q", "Q=Q"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:{}@host/db",
        "postgresql+psycopg2://me:{}@host:5432/db?sslmode=require",
        "mysql+pymysql://:{}@host/db",
        "https://me:{}@host:5000/mlflow",
        "postgresql://host/db?user=me&password={}",
        "mssql+pyodbc:///?odbc_connect={}",
    ],
)
def test_no_part_of_a_password_is_shown_or_configured(secret, address, tmp_path):
    uri = address.format(secret)
    try:
        shown = locate(uri, tmp_path).address
    except ConfigError as error:
        shown = str(error)
    with pytest.raises(ConfigError, match="password") as refused:
        TrackingSettings(uri=uri)
    said = Store(uri, tmp_path).hide(f"no answer from {uri}: refused")
    alone = hidden(f"could not translate {secret!r} or {unquote(secret)!r}", uri)
    for text in (shown, masked(uri), masked(uri.split("://")[1]), said, alone, str(refused.value)):
        assert "Q" not in text.replace("SQLAlchemy", "")
