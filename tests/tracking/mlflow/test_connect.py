import pkgutil
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from digit_exp import tracking
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import connect, experiment_id
from digit_exp.tracking.mlflow.uri import locate
from tracked_runs import tracked

TESTS = Path(__file__).parents[2]

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tracked_runs import epochs, tracked
folder = Path(sys.argv[1])
with tracked(folder, place=folder / sys.argv[3]) as run:
    run.now(epochs=epochs({"train_loss": 0.5}))
"""


def set_schema(database, revision):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update alembic_version set version_num = ?", [revision])
        connection.execute("drop table jobs")


def test_four_runs_may_meet_an_empty_folder(tmp_path):
    folder = tmp_path / "a folder, größer"
    folder.mkdir()
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, folder, TESTS, str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, errors
    client = connect(locate(None, folder))
    parent = client.get_experiment_by_name("digits").experiment_id
    assert [run.info.status for run in client.search_runs([parent])] == ["FINISHED"] * 4


def test_a_run_killed_while_it_made_the_database_does_no_harm(tmp_path):
    (tmp_path / "mlruns").mkdir()
    with closing(sqlite3.connect(tmp_path / "mlruns/.mlflow.db.new")) as half, half:
        half.execute("create table experiments (name text)")
    (tmp_path / "mlruns/.mlflow.db.new-journal").write_bytes(b"half")
    connect(locate(None, tmp_path))
    names = [path.name for path in (tmp_path / "mlruns").iterdir()]
    assert sorted(names) == ["mlflow.db", "mlflow.db.lock"]


def test_nothing_is_written_outside_mlruns(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with tracked(folder, place=folder / "run") as run:
        (folder / "run" / "a.txt").write_text("a")
        run.now(files=["a.txt"])
    assert sorted(path.name for path in folder.iterdir()) == ["mlruns", "run"]


def test_an_old_database_is_refused_and_left_alone(folder):
    database = folder / "mlruns/mlflow.db"
    set_schema(database, "451aebb31d03")  # MLflow 1.0; MLflow migrates such a one unasked
    before = database.read_bytes()
    with pytest.raises(TrackingError, match=r"older MLflow(.|\n)*mlflow db upgrade sqlite:///"):
        connect(locate(None, folder))
    assert database.read_bytes() == before


def test_a_database_of_a_newer_mlflow_is_refused(folder):
    set_schema(folder / "mlruns/mlflow.db", "fedcba987654")
    with pytest.raises(TrackingError, match="newer MLflow"):
        connect(locate(None, folder))


@pytest.mark.parametrize("damage", [lambda _: b"no database at all", lambda old: old[:50_000]])
def test_a_damaged_database_is_refused_with_what_to_do_and_left_alone(folder, damage):
    database = folder / "mlruns/mlflow.db"
    database.write_bytes(content := damage(database.read_bytes()))
    move = "`mv mlruns/mlflow.db mlruns/mlflow.db.damaged`"
    with pytest.raises(TrackingError, match=rf"cannot use .*damaged. {move}(.|\n)*tracking=none"):
        connect(locate(None, folder))
    assert database.read_bytes() == content


def test_a_database_that_another_program_has_locked_is_told_with_how_to_find_it(folder):
    store = locate(f"sqlite:///{folder}/mlruns/mlflow.db?timeout=0", folder)
    with closing(sqlite3.connect(store.database)) as other, other:
        other.execute("begin exclusive")
        with pytest.raises(TrackingError, match=r"locked it; `fuser -v mlruns/mlflow.db` tells"):
            connect(store)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path):
    with pytest.raises(TrackingError, match=r"tracking=none") as caught:
        connect(locate("http://me:secret@127.0.0.1:9", tmp_path))
    assert "http://me:***@127.0.0.1:9" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_deleted_experiment_is_explained(folder):
    store = locate(None, folder)
    client = connect(store)
    client.delete_experiment(experiment_id(client, store, "digits"))
    with pytest.raises(TrackingError, match=r"'digits' was deleted(.|\n)*experiments restore"):
        experiment_id(client, store, "digits")


def test_a_copied_store_says_that_files_still_go_to_the_first_place(folder, tmp_path, caplog):
    with tracked(folder):
        assert caplog.text == ""
    copy = tmp_path / "copy"
    shutil.copytree(folder / "mlruns", copy / "mlruns")
    with tracked(copy):
        assert f"in {(folder / 'mlruns').as_uri()}/artifacts/digits;" in caplog.text


def modules():
    """Return the modules of tracking, except those that MLflow imports."""
    below = pkgutil.walk_packages(tracking.__path__, f"{tracking.__name__}.")
    return [module for module in below if not module.name.endswith((".pyfunc", ".ui_app"))]


def test_tracking_imports_mlflow_only_when_a_run_is_opened():
    names = [module.name for module in modules()]
    assert len(names) > 10
    code = f"import sys, {', '.join(names)}; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
