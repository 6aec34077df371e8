"""What a kill at any write of a run's beginning leaves: every look-up works or says why not."""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import event
from sqlalchemy.engine import Engine

from digit_exp.cli import entry
from digit_exp.registry import ConfigError
from digit_exp.runs.folder import mark_dead_runs
from digit_exp.runs.runner import execute
from digit_exp.runs.saved.compare import compare
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.resume import find_checkpoint
from digit_exp.runs.saved.views.mlflow_page import page_of
from digit_exp.runs.signals import Interruption
from digit_exp.training.checkpoint import CheckpointError
from tiny_runs import config

WRITES = {"open", "os.mkdir", "os.rename", "os.remove", "sqlite3.connect"}


def kill_at(nth, settings, folder):
    """Run in a process that is killed at the n-th write below `folder`; return whether it was.

    Statements that change a database are writes too.
    """
    place = folder / "outputs" / "day" / f"{nth:03}"
    place.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        seen = count(1)

        def wrote():
            if next(seen) == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        def hook(event, arguments):
            if event in WRITES and is_write(event, arguments) and str(folder) in str(arguments[0]):
                wrote()

        def execution(connection, cursor, statement, *_):
            if statement.startswith(("INSERT", "UPDATE", "DELETE", "CREATE")):
                wrote()

        try:
            sys.addaudithook(hook)
            event.listen(Engine, "before_cursor_execute", execution)
            with Interruption() as interruption:
                execute(settings, place, interruption)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def is_write(event, arguments):
    return event != "open" or bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def looked_up(work):
    """Return the sentence with which a look-up is refused, if it is."""
    try:
        work()
    except (RunError, ConfigError, CheckpointError) as error:
        return str(error)
    return None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whatever_a_kill_leaves_every_look_up_works(tmp_path, train):
    outputs = tmp_path / "outputs"
    train(outputs / "day" / "whole")
    settings = config(trainer={"epochs": 1})
    nth = 1
    while kill_at(nth, settings, tmp_path) and nth < 32:
        nth += 1
    assert nth > 8  # it was killed at each of the first writes
    mark_dead_runs(outputs)
    runs = Runs(outputs)
    assert len(runs.all) > 3
    assert runs.find("best").folder == outputs / "day" / "whole"
    assert looked_up(lambda: runs.find("latest").network()) != ""
    assert "not in the store" in looked_up(lambda: page_of(Runs(outputs), "latest"))
    assert len(compare(runs.all_matching("best") + runs.all_matching("latest")).sections) > 2
    for folder in (outputs / "day").iterdir():
        for work in (
            lambda at: Runs(outputs).find(at).config,
            lambda at: Runs(outputs).find(at).run_config(),
            lambda at: Runs(outputs).find(at).network(),
            lambda at: Runs(outputs).find(at).history(),
            lambda at: Runs(outputs).find(at).predictions(),
            lambda at: find_checkpoint(at, outputs),
        ):
            looked_up(lambda work=work, folder=folder: work(str(folder)))


KILLS = [1, 2, 3, 5, 8, 12, 17, 24, 33, 45, 60, 80]
"""Writes of a tracked run at which it is killed; the last ones are after training."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whatever_a_kill_leaves_of_a_tracked_run_every_command_works(
    tmp_path, migrated, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    settings = config(trainer={"epochs": 1}, tracking={"backend": "mlflow"})
    for nth in (4, 40):  # while the database is made
        assert kill_at(nth, settings, tmp_path)
    shutil.rmtree(tmp_path / "mlruns", ignore_errors=True)
    (tmp_path / "mlruns").mkdir()
    shutil.copy(migrated, tmp_path / "mlruns")
    assert not kill_at(10**9, settings, tmp_path)  # a whole one
    killed = [nth for nth in KILLS if kill_at(nth, settings, tmp_path)]
    assert killed[-1] > 40
    Image.new("L", (60, 60), 255).save("picture.png")

    for words in (
        ["list"],
        ["list", "--json"],
        ["show", "latest"],
        ["show", "best"],
        ["compare", "best", "latest"],
        ["predict", "best", "picture.png"],
    ):
        assert entry.main(words) in (0, 1), words  # an empty picture is no digit
        assert "Traceback" not in capsys.readouterr().err
    runs = Runs.of_folder()
    assert {run.status for run in runs.all} == {"FINISHED", "KILLED"}
    assert page_of(runs, None)
    assert page_of(runs, "best")
    folders = sorted((tmp_path / "outputs" / "day").iterdir())
    for folder in folders:
        looked_up(lambda folder=folder: page_of(runs, str(folder)))
        looked_up(lambda folder=folder: Runs.of_folder().find(str(folder)).network())
    *_, resumable = (
        at for at in folders if looked_up(lambda at=at: find_checkpoint(str(at))) is None
    )
    assert entry.main([f"resume={resumable}"]) == 0
    assert Runs.of_folder().find(str(resumable)).status == "FINISHED"


def test_a_run_without_a_configuration_is_refused_alone_and_leaves_the_others(tmp_path, train):
    outputs = tmp_path / "outputs"
    for name in ("one", "two", "three"):
        train(outputs / "day" / name, f"seed={len(name)}")
    (outputs / "day" / "two" / "config.yaml").unlink()
    (outputs / "day" / "three" / "config.yaml").write_bytes(b"optimizer: {name: \xff")
    runs = Runs(outputs)
    for name in ("two", "three"):
        run = runs.find(str(outputs / "day" / name))
        assert not run.has_config
        with pytest.raises(RunError, match=r"config\.yaml"):
            run.run_config()
    assert runs.find(str(outputs / "day" / "one")).has_config
    assert runs.find("best").status == "FINISHED"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"run_id": "x"}',
        b'{"scripts": {}}',
        b'{"run_id": "x", "status": 7, "started": "2026-01-01"}',
        b'{"run_id": "x", "status": "FINISHED", "started": "yesterday"}',
        b'{"run_id": "x", "status": "FINISHED", "started": "2026-01-01", "summary": {"a": "b"}}',
        b"[" * 100_000,
    ],
)
def test_a_foreign_note_is_skipped_and_named_once(tmp_path, train, caplog, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    outputs = Path("outputs")
    kept = train(outputs / "day" / "one")
    (outputs / "day" / "foreign" / "deep").mkdir(parents=True)
    (outputs / "day" / "foreign" / "run.json").write_bytes(content)
    (outputs / "day" / "foreign" / "deep" / "run.json").mkdir()
    mark_dead_runs(outputs)
    for text in ("latest", "best"):
        assert Runs(outputs).find(text).folder == kept
        assert find_checkpoint_or_refusal(text, outputs) is None
    with pytest.raises(RunError, match="is not the note of a run"):
        Runs(outputs).find("outputs/day/foreign")
    named = [record.message for record in caplog.records if "foreign/run.json" in record.message]
    assert len(named) == 1
    assert "it is skipped" in named[0]


def find_checkpoint_or_refusal(text, outputs):
    with pytest.raises(ConfigError, match="is finished"):
        find_checkpoint(text, outputs)
