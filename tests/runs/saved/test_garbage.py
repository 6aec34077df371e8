"""What `gc` frees, and what it never touches."""

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from digit_exp.config.compose import compose
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import execute
from digit_exp.runs.saved.manage import garbage as collector
from digit_exp.runs.saved.manage.garbage import garbage, size
from digit_exp.runs.saved.manage.trash import TRASH
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.queries import RunStore
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.training.callbacks import ModelCheckpoint
from digit_exp.training.checkpoint import load_checkpoint, save_checkpoint
from tiny_runs import WORDS

OLD = 3 * 86_400


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that was not tracked."""
    return run_in(tmp_path_factory.mktemp("once") / "run")


def run_in(place):
    place.mkdir()
    (place / paths.LOG).touch()
    (config,) = compose(WORDS).jobs
    with Interruption() as interruption:
        execute(config, place, interruption)
    return place


@pytest.fixture
def alone(trained, tmp_path, monkeypatch):
    """A copy of it, two folders below the current one, where there is no store."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(trained, tmp_path / "outputs" / "day" / "run")


def age(path):
    """Let a file, and all that is in a folder, be three days old."""
    for each in [*path.rglob("*"), path]:
        os.utime(each, (time.time() - OLD,) * 2)


def found(days=0.0):
    """Return what could go, as reasons by paths."""
    here = Path.cwd()
    store = locate(None, here)
    listed = garbage(here / "outputs", here / TRASH, store, days)
    return {str(each.path.relative_to(here)): each.reason for each in listed}


def files():
    return {path for path in Path().rglob("*") if path.is_file() and path.suffix != ".db"}


def test_what_is_used_is_not_garbage(place, say):
    assert found() == {}
    assert say("gc", "--dry-run") == (0, "nothing can go\n")


def test_the_trash_goes_after_its_days_and_mlflow_with_it(place, say):
    run_id = RunRecord.read(place).run_id
    stored = {path for path in Path("mlruns/artifacts").rglob("*") if path.is_file()}
    assert any("models" in path.parts for path in stored)
    assert say("rm", "latest")[0] == 0
    assert found(days=1) == {}
    before = files()
    code, printed = say("gc", "--all", "--dry-run", "--json")
    listed = json.loads(printed)
    assert (code, listed["removed"], len(listed["garbage"])) == (0, False, 1)
    taken = sum(size(path) for path in {*stored, *TRASH.rglob("*")} if path.is_file())
    assert listed["bytes"] == listed["garbage"][0]["bytes"] == taken
    assert say("gc", "--all")[0] == 2  # nobody can be asked
    assert files() == before
    code, printed = say("gc", "--all", "--yes", "--json")
    assert (code, json.loads(printed)["removed"]) == (0, True)
    assert list(TRASH.iterdir()) == []
    assert [path for path in Path("mlruns/artifacts").rglob("*") if path.is_file()] == []
    client = connect(locate(None, Path.cwd()))
    with pytest.raises(Exception, match=run_id):
        client.get_run(run_id)
    assert found() == {}


def test_a_terminal_is_asked(place, say, monkeypatch):
    say("rm", "latest")
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert say("gc", "--all")[0] == 0
    assert len(list(TRASH.iterdir())) == 1
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert "freed" in say("gc", "--all")[1]
    assert list(TRASH.iterdir()) == []


def test_a_run_that_was_deleted_in_mlflow_goes_only_without_its_folder(place, say):
    run_id = RunRecord.read(place).run_id
    connect(locate(None, Path.cwd())).delete_run(run_id)
    assert found() == {}  # its folder is here: it can be restored, and resumed
    shutil.rmtree(place)
    assert found(days=1) == {}
    (path,) = found()
    assert path.endswith(run_id)
    assert say("gc", "--all", "--yes")[0] == 0
    assert not Path(path).exists()


def test_what_a_registered_model_is_made_from_stays(place, say, monkeypatch):
    assert say("promote", "latest", "--force")[0] == 0
    monkeypatch.setattr(RunStore, "models_of", lambda store, run_id: [])  # it came in between
    assert say("rm", "latest")[0] == 0
    assert found() == {}
    (run,) = TRASH.glob("*/run")
    shutil.rmtree(run)  # only the store has it
    assert found() == {}


def test_a_run_whose_store_does_not_answer_stays(place, say):
    config = place / "config.yaml"
    assert say("rm", "latest")[0] == 0
    (config,) = TRASH.glob("*/run/config.yaml")
    config.write_text(config.read_text().replace("uri: null", "uri: http://127.0.0.1:9"))
    assert "127.0.0.1:9" in config.read_text()
    assert found() == {}


@pytest.mark.parametrize("how", ["id", "folder"])
def test_a_run_that_another_one_began_with_stays(alone, say, how):
    named = {"id": "0123456789ab", "folder": str(alone)}[how]
    other = shutil.copytree(alone, alone.with_name("other"))
    record = RunRecord.read(other)
    record.name, record.tags["digit_exp.origin"] = "other", named
    record.write(other)
    assert say("rm", str(alone))[0] == 0
    (removed,) = TRASH.glob("*/run")
    record = RunRecord.read(removed)
    record.run_id = "0123456789abcdef"
    record.write(removed)
    assert found() == {}
    shutil.rmtree(other)
    assert len(found()) == 1


def test_what_was_half_written_goes_when_nobody_can_be_writing(alone):
    draft = alone / ".run.json.123.draft"
    for path in (draft, Path("outputs/imported/.import-x/run/a"), Path("mlruns/.mlflow.db.new")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert found() == {}
    age(Path("outputs"))
    age(Path("mlruns"))
    paths = {str(draft.relative_to(Path.cwd())), "outputs/imported/.import-x"}
    assert found().keys() == {*paths, "mlruns/.mlflow.db.new"}
    record = RunRecord.read(alone)
    record.status, record.host = "RUNNING", "another-machine"
    record.write(alone)
    assert str(draft.relative_to(Path.cwd())) not in found()


@dataclass
class Rotation:
    """Checkpoints of a run whose names mention the epoch: 3 is kept, 1 was left over."""

    place: Path
    filename: str = "{epoch:02d}.npz"
    kept: list[str] = field(default_factory=lambda: ["03.npz"])

    def make(self):
        config = self.place / "config.yaml"
        config.write_text(config.read_text().replace("best.npz", f"'{self.filename}'"))
        folder = self.place / "checkpoints"
        last = load_checkpoint(folder / "last.npz")
        memory = {"files": self.kept, "best": 0.9}
        last.state.callback_memory[ModelCheckpoint(self.filename).name] = memory
        save_checkpoint(folder / "last.npz", last.state, last.config)
        (folder / "best.npz").unlink()
        for name in ("01.npz", "03.npz", "my-own.npz"):
            (folder / name).touch()
        return {str((folder / "01.npz").relative_to(Path.cwd()))}


def test_checkpoints_that_rotation_left_over_go(alone):
    left_over = Rotation(alone).make()
    assert found().keys() == left_over
    record = RunRecord.read(alone)
    record.status, record.host = "RUNNING", "another-machine"  # it may be about to
    record.write(alone)
    assert found() == {}


def test_if_a_kept_checkpoint_is_gone_the_others_stay(alone):
    left_over = Rotation(alone).make()
    assert found().keys() == left_over
    (alone / "checkpoints" / "03.npz").unlink()
    assert found() == {}


def test_a_checkpoint_that_another_run_began_with_stays(alone):
    (left_over,) = Rotation(alone).make()
    other = shutil.copytree(alone, alone.with_name("other"))
    record = RunRecord.read(other)
    record.run_id, record.started = None, "2026-01-01T00:00:00+00:00"
    record.write(other)
    config = other / "config.yaml"
    begun = f"start_from: {left_over}@0123456789ab"
    config.write_text(config.read_text().replace("start_from: null", begun))
    assert found().keys() == {left_over.replace("/run/", "/other/")}


def test_a_sweep_without_a_job_goes_and_one_with_anything_stays(alone):
    sweeps = Path("outputs/sweeps")
    for name in ("empty", "reported", "trashed", "young", "with-job"):
        (sweeps / name).mkdir(parents=True)
        (sweeps / name / "multirun.yaml").touch()
    (sweeps / "reported" / "report.html").touch()
    alone.rename(sweeps / "with-job" / "1")
    (TRASH / "x" / "run").mkdir(parents=True)
    shutil.copy(sweeps / "with-job" / "1" / "run.json", TRASH / "x" / "run")
    note = {"from": str((sweeps / "trashed" / "1").absolute()), "when": "2999-01-01T00:00:00+00:00"}
    (TRASH / "x" / "removed.json").write_text(json.dumps(note))
    age(sweeps)
    (sweeps / "young" / "multirun.yaml").write_text("")
    assert found() == {"outputs/sweeps/empty": "a sweep without a job"}


def test_caches_go_only_when_asked_and_not_what_a_run_here_is_on(alone, say, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGIT_EXP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(collector, "_kernels", list)
    for name in ("fashion_mnist", "synthetic"):
        (tmp_path / "cache" / name).mkdir(parents=True)
        (tmp_path / "cache" / name / "file.gz").touch()
    assert say("gc", "--yes")[0] == 0
    assert (tmp_path / "cache" / "fashion_mnist").exists()
    assert say("gc", "--caches", "--yes")[0] == 0
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["synthetic"]


def test_kernels_of_other_versions_go(tmp_path, monkeypatch):
    import pickle

    import numba

    folder = tmp_path / "__pycache__"
    folder.mkdir()
    versions = {f"k.f-1.{collector.ABI}": numba.__version__, f"k.g-2.{collector.ABI}": "0.1"}
    versions["k.h-3.py27"] = numba.__version__
    for stem, version in versions.items():
        (folder / f"{stem}.nbi").write_bytes(pickle.dumps(version))
        (folder / f"{stem}.1.nbc").touch()
    monkeypatch.setattr(collector, "PACKAGE", tmp_path)
    stale = {each.path.name for each in collector._kernels() if each.path.parent == folder}
    others = [f"k.g-2.{collector.ABI}", "k.h-3.py27"]
    assert stale == {f"{stem}{end}" for stem in others for end in (".nbi", ".1.nbc")}
