"""A run as a file: the same bytes each time, taken in elsewhere, refused if anything is wrong."""

import json
import shutil
import stat
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from digit_exp.cli.entry import main
from digit_exp.cli.main import main as train_line
from digit_exp.config.compose import compose
from digit_exp.optim.optimizers import Adam
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import execute
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.handover import archive
from digit_exp.runs.saved.handover.export_run import export_run
from digit_exp.runs.saved.handover.import_run import import_run, rewrite, unpack
from digit_exp.runs.saved.handover.verify import limit_of
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.training.checkpoint import load_checkpoint
from tiny_runs import WORDS

SECRET = "sqlite:////there/runs.db?password=hunter2"


@pytest.fixture(scope="module")
def handed(tmp_path_factory, migrated):
    """A folder with one tracked run in it, and the run as `run.zip`."""
    home = tmp_path_factory.mktemp("there")
    (home / "mlruns").mkdir()
    shutil.copy(migrated, home / "mlruns")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(home)
        (place := home / "outputs" / "day" / "run").mkdir(parents=True)
        (place / paths.LOG).touch()
        (config,) = compose([*WORDS, "tracking=mlflow", "run_name=theirs"]).jobs
        with Interruption() as interruption:
            execute(config, place, interruption)
        export_run(Runs.of_folder().find("theirs"), Path("run.zip"))
    return home


@pytest.fixture
def here(folder, monkeypatch, handed):
    """Another folder, with a store and the archive in it."""
    monkeypatch.chdir(folder)
    shutil.copy(handed / "run.zip", folder)
    return folder


def changed(entries=(), left_out=(), file="run.zip", **options):
    """Write the archive again with other entries, each a pair of a name or ZipInfo and bytes."""
    with zipfile.ZipFile("run.zip") as old, zipfile.ZipFile("changed.zip", "w", **options) as new:
        names = {getattr(name, "filename", name) for name, _ in entries}
        for info in old.infolist():
            if info.filename not in names | set(left_out):
                new.writestr(info.filename, old.read(info))
        for name, content in entries:
            new.writestr(name, content)
    return Path("changed.zip")


def manifest_of(file):
    with zipfile.ZipFile(file) as opened:
        return json.loads(opened.read(archive.MANIFEST))


def test_the_same_run_gives_the_same_bytes_and_all_that_proves_it(handed, tmp_path, monkeypatch):
    monkeypatch.chdir(handed)
    run = Runs.of_folder().find("theirs")
    export_run(run, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (handed / "run.zip").read_bytes()
    found = manifest_of("run.zip")
    files = {
        *("config.yaml", "run.json", "metrics.jsonl", "model.npz", "requirements.txt"),
        *("checkpoints/last.npz", "checkpoints/best.npz", "test_predictions.npz"),
        *("val_predictions.npz", "figures/learning_curves.png"),
    }
    assert files <= found["files"].keys()
    assert found["run"]["run_id"] == run.run_id
    assert found["data"]["digest"] == run.data_digest
    assert found["code"]["digest"] == run.tags["source.digest"]
    assert found["versions"]["numpy"] == run.tags["version.numpy"]


def test_a_run_that_only_the_store_has_is_exported_with_the_same_results(handed, monkeypatch):
    monkeypatch.chdir(handed)
    (folder := Path("outputs")).rename("away")
    try:
        export_run(Runs.of_folder().find("theirs"), Path("store.zip"))
    finally:
        Path("away").rename(folder)
    known, found = manifest_of("run.zip")["files"], manifest_of("store.zip")["files"]
    assert found.keys() == known.keys() - {"system.jsonl"}  # what the machine did is no result
    made = {"run.json", "metrics.jsonl"}  # from what the store says
    assert {name for name in found if known[name] != found[name]} == made
    archive.extract(Path("store.zip"), Path("taken"))
    record, own = RunRecord.read(Path("taken")), RunRecord.read(folder / "day" / "run")
    assert (record.summary, record.run_id, record.status) == (own.summary, own.run_id, own.status)
    lines = [Path(at, "metrics.jsonl").read_text().splitlines() for at in ("taken", own_place())]
    epochs = [[{**json.loads(line), "time": 0} for line in found] for found in lines]
    assert epochs[0] == epochs[1]


def own_place():
    return Path("outputs") / "day" / "run"


def test_an_imported_run_is_one_of_this_place(here, capsys):
    found, _ = import_run(Path("run.zip"), name="theirs")
    place, there = found.folder, manifest_of("run.zip")["run"]["run_id"]
    assert place == Path("outputs/imported/theirs")
    assert found.run_id not in (None, there)
    assert found.tags["imported.from"] == there
    stored = connect(locate(None, here)).get_run(found.run_id)
    assert stored.data.tags["imported.from"] == there
    assert stored.data.metrics["test_acc"] == found.metrics["test_acc"]
    assert Runs.of_folder().find("theirs").run_id == found.run_id
    capsys.readouterr()
    assert main(["show", "theirs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"]
    assert main(["reproduce", "theirs", "--out", "again"]) == 0
    assert main(["compare", "theirs", "again"]) == 0
    assert main(["predict", "theirs", str(place / "figures" / "learning_curves.png")]) in (0, 1)
    # it goes on in the store of this place, with the id that it has here
    assert train_line(["resume=theirs", "trainer.epochs=4"]) == 0
    longer = Runs.of_folder().find("latest")
    assert longer.tags["digit_exp.origin"] == found.run_id
    assert len(longer.history()) == 4


def test_an_interrupted_run_goes_on_where_it_was_imported(here, monkeypatch):
    archive.extract(Path("run.zip"), work := Path("work"))
    record = RunRecord.read(work)
    record.status, record.summary = "RUNNING", {}
    record.write(work)
    archive.write(Path("run.zip"), work, {})
    found, _ = import_run(Path("run.zip"))
    assert found.status == "KILLED"
    assert train_line([f"resume={found.folder}"]) == 0
    ended = RunRecord.read(found.folder)
    assert (ended.status, ended.run_id) == ("FINISHED", found.run_id)
    assert len(Runs.of_folder().all) == 1


def test_without_a_store_a_run_is_imported_and_none_is_made(tmp_path, monkeypatch, handed, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["import", str(handed / "run.zip"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["id"], printed["tracked"], printed["complete"]) == (None, False, True)
    assert not Path("mlruns").exists()
    assert Runs.of_folder().find("theirs").folder == Path.cwd() / printed["folder"]


def test_a_run_that_is_here_is_refused_and_nothing_is_left(here, handed, capsys, monkeypatch):
    import_run(Path("run.zip"))
    before = sorted(Path("outputs").rglob("*"))
    assert main(["import", "run.zip", "--as", "other"]) == 2
    assert "digit-exp rm" in capsys.readouterr().err
    assert sorted(Path("outputs").rglob("*")) == before
    monkeypatch.chdir(handed)  # where it was made
    with pytest.raises(RunError, match="is here already"):
        import_run(Path("run.zip"))


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "C:x"])
def test_a_name_that_is_a_path_is_refused(here, name):
    assert main(["import", "run.zip", "--as", name]) == 2
    assert not Path("outputs").exists()


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([("../escaped.txt", b"x")], "path"),
        ([("/tmp/escaped.txt", b"x")], "path"),
        ([("checkpoints/..\\escaped.npz", b"x")], "path"),
        ([("setup.py", b"x")], "not a file of a run"),
        ([("checkpoints/.hidden.npz", b"x")], "not a file of a run"),
        ([(link("checkpoints/best.npz"), b"/etc/passwd")], "link"),
        ([("checkpoints/more.npz", b"x")], "manifest"),
        ([("config.yaml", b"seed: 1")], "SHA-256"),
        ([("checkpoints/LAST.npz", b"x")], "upper and lower case"),
        ([(archive.MANIFEST, b"[1]")], "another kind"),
        ([(archive.MANIFEST, b'{"format": "x", "version": 1, "files": {}}')], "format"),
        ([(archive.MANIFEST, b"[" * 100_000)], "another kind"),
        ([(archive.MANIFEST, b" " * (archive.LONGEST_MANIFEST + 1))], "too large"),
    ],
)
def test_what_would_harm_or_is_damaged_is_refused(here, entries, named):
    file = changed(entries)
    with pytest.raises(RunError, match=named):
        unpack(file, here / "work")
    assert [path for path in here.rglob("*") if "escaped" in path.name] == []


def test_what_is_compressed_or_too_large_is_refused(here, monkeypatch):
    bomb = changed([("digit_exp.log", b"0" * 10_000_000)], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(RunError, match="compressed"):
        import_run(bomb)
    assert list(Path("outputs/imported").iterdir()) == []
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with pytest.raises(RunError, match="1,000 are the most"):
        unpack(Path("run.zip"), here / "large")


def test_what_is_no_archive_of_a_run_is_refused(here):
    with pytest.raises(RunError, match="no such file"):
        unpack(Path("nothing.zip"), here / "1")
    Path("text.zip").write_text("no archive")
    with pytest.raises(RunError, match="not a whole archive"):
        unpack(Path("text.zip"), here / "2")
    whole = Path("run.zip").read_bytes()
    Path("half.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="not a whole archive"):
        unpack(Path("half.zip"), here / "3")
    with pytest.raises(RunError, match="manifest"):
        unpack(changed(left_out=[archive.MANIFEST]), here / "4")


@pytest.mark.parametrize(
    "values",
    [{"status": "BEST"}, {"name": "a\x1b[2J"}, {"ended": "once"}, {"dataset": {"name": 1}}],
)
def test_a_record_that_is_none_is_refused(here, values):
    archive.extract(Path("run.zip"), work := Path("work"))
    record = json.loads((work / "run.json").read_text())
    (work / "run.json").write_text(json.dumps(record | values))
    archive.write(Path("run.zip"), work, {})
    with pytest.raises(RunError, match="record of a run"):
        unpack(Path("run.zip"), here / "taken")


def test_no_address_of_a_store_is_handed_over(handed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(handed / "outputs" / "day" / "run", "run")
    rewrite(Path("run"), {"tracking": {"uri": SECRET}})
    run = Runs.of_folder().find("run")
    assert load_checkpoint(run.file(Path("checkpoints/last.npz"))).config["run"]["tracking"]["uri"]
    export_run(run, Path("run.zip"))
    with closing(zipfile.ZipFile("run.zip")) as opened:
        leaking = [name for name in opened.namelist() if b"hunter2" in opened.read(name)]
    assert leaking == []


def test_a_run_that_goes_on_or_several_are_not_exported(here, handed, monkeypatch, capsys):
    monkeypatch.chdir(handed)
    assert main(["export", "theirs", "theirs", "--to", "two.zip"]) == 2
    monkeypatch.setattr(RunRecord, "is_dead", property(lambda record: False))
    monkeypatch.setattr(RunRecord, "is_over", property(lambda record: False))
    record = RunRecord.read(own_place())
    try:
        RunRecord(**{**vars(record), "status": "RUNNING"}).write(own_place())
        assert main(["export", str(own_place()), "--to", "two.zip"]) == 2
        assert "still going on" in capsys.readouterr().err
    finally:
        record.write(own_place())
    assert not Path("two.zip").exists()


def test_an_archive_is_verified_to_the_bit(here, capsys):
    assert main(["verify", "run.zip", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["first_difference"]) == ("bit-identical", None)
    assert found["data_digest"] == manifest_of("run.zip")["data"]["digest"]


def test_a_little_rounding_is_the_same_within_seeds(here, capsys, monkeypatch):
    update = Adam.update
    monkeypatch.setattr(
        Adam, "update", lambda self, v, g, s, lr, step: update(self, v, g, s, lr * (1 + 1e-5), step)
    )
    assert main(["verify", "run.zip"]) == 0
    printed = capsys.readouterr().out
    assert "epoch 1 is the first to differ" in printed
    assert "verdict: same within seeds" in printed


def test_a_result_that_was_written_by_hand_is_not_reproduced(here, capsys):
    archive.extract(Path("run.zip"), work := Path("work"))
    record = RunRecord.read(work)
    record.summary |= {"best_val_acc": 0.999, "test_acc": 0.999}
    record.write(work)
    archive.write(Path("other.zip"), work, {})
    assert main(["verify", "other.zip"]) == 1
    assert "verdict: not reproduced" in capsys.readouterr().out


def test_how_far_seeds_are_apart_says_what_is_the_same(here):
    archive.extract(Path("run.zip"), Path("outputs/s42"))
    scores = {42: 0.90, 43: 0.92, 44: 0.94}
    for seed, score in scores.items():
        place = Path(f"outputs/s{seed}")
        if seed != 42:
            shutil.copytree("outputs/s42", place)
            config = (place / "config.yaml").read_text()
            (place / "config.yaml").write_text(
                f"\n{config}".replace("\nseed: 42", f"\nseed: {seed}")
            )
        record = RunRecord.read(place)
        record.run_id = None
        record.started = f"2026-01-01T00:00:{seed}+00:00"
        record.summary |= {"best_val_acc": score, "test_acc": score}
        record.write(place)
        if seed == 43:
            runs = Runs().all
            assert limit_of(runs[0], runs).seeds == 0  # two are too few
    runs = Runs().all
    found = limit_of(runs[0], runs)
    assert found.seeds == 3
    assert found.difference == pytest.approx(4.302653 * 0.02 * 2**0.5)
    (Path("outputs/s44") / "config.yaml").write_text(
        (Path("outputs/s44") / "config.yaml").read_text().replace("epochs: 3", "epochs: 4")
    )
    assert limit_of(runs[-1], Runs().all).seeds == 0  # another configuration is no replicate


def test_data_that_are_not_there_are_named_by_their_digest(here, capsys):
    archive.extract(Path("run.zip"), work := Path("work"))
    rewrite(work, {"data": {"samples": 300}})
    archive.write(Path("run.zip"), work, {})
    assert main(["verify", "run.zip"]) == 2
    assert manifest_of("run.zip").keys() >= {"files"}
    assert RunRecord.read(work).tags["data.digest"] in capsys.readouterr().err
    for word in ("optimizer.lr=1", "data.dir=/there"):  # another configuration; no key of its data
        assert main(["verify", "run.zip", word]) == main(["import", "run.zip", word]) == 2
    assert list(Path("outputs/imported").iterdir()) == []
