"""What a run writes into its folder while it goes on, and what is read back from there."""

import errno
import json
import math
from pathlib import Path

import pytest

from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun, discard_outcome, read_contents, read_epochs
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.results.summary import write_config
from tiny_runs import config, run


def history(*losses):
    return [{"epoch": number, "train_loss": loss} for number, loss in enumerate(losses, 1)]


def losses(folder):
    return [(epoch.number, epoch.metrics["train_loss"]) for epoch in read_epochs(folder)]


@pytest.fixture
def opened(tmp_path):
    return ActiveRun(tmp_path, config(), RunRecord("abc", name="mine", tags={"note": "x"}))


def test_a_folder_reads_back_as_what_the_run_has_come_to(tmp_path, opened):
    write_config(config(), tmp_path)
    opened.record.summary = {"test_acc": 0.5}
    opened.write_epochs(history(0.5, 0.25))
    opened.save()
    for name in (
        "digit_exp.log",
        "checkpoints/last.npz",
        "figures/loss.png",
        "foreign",
        "model.npz",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "checkpoints" / ".last.npz.1.draft").touch()
    contents = opened.contents()
    assert read_contents(tmp_path) == contents
    assert contents.files == [
        *("config.yaml", "digit_exp.log", "checkpoints/last.npz", "figures/loss.png")
    ]
    assert contents.network == tmp_path / "model.npz"
    assert contents.params["optimizer"] == "adam"
    assert contents.owner["digit_exp.pid"] == str(opened.record.pid)


def test_a_line_is_an_epoch_in_strict_json(tmp_path, opened):
    opened.write_epochs([{"epoch": 1, "train_loss": math.inf, "train_acc": 0.5}])
    (line,) = (tmp_path / paths.METRICS).read_text().splitlines()
    values = json.loads(line, parse_constant=pytest.fail)
    assert {"epoch": 1, "train_loss": None, "train_acc": 0.5}.items() <= values.items()
    assert math.isnan(read_epochs(tmp_path)[0].metrics["train_loss"])


def test_an_epoch_is_written_once_also_by_a_run_that_goes_on(tmp_path, opened):
    opened.write_epochs(history(0.5))
    opened.write_epochs(history(0.5, 0.25))
    again = ActiveRun(tmp_path, config())
    again.write_epochs(history(9, 9, 0.125))
    assert losses(tmp_path) == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert len((tmp_path / paths.METRICS).read_text().splitlines()) == 3


def test_metrics_survive_being_cut_off_anywhere(tmp_path, opened):
    opened.write_epochs(history(0.5, 0.25))
    content = (tmp_path / paths.METRICS).read_bytes()
    for end in range(len(content)):
        (tmp_path / paths.METRICS).write_bytes(content[:end])
        ActiveRun(tmp_path, config()).write_epochs(history(0.5, 0.25, 0.125))
        assert losses(tmp_path) == [(1, 0.5), (2, 0.25), (3, 0.125)]


def test_what_a_full_disk_did_not_take_is_known_and_written_when_it_has_room(tmp_path, opened):
    open_file = Path.open

    def refused(self, mode="r", *arguments, **options):
        open_file(self, mode, *arguments, **options).close()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refused)
        with pytest.raises(OSError, match="No space left"):
            opened.write_epochs(history(0.5))
    assert [epoch.number for epoch in opened.contents().epochs] == [1]
    opened.write_epochs(history(0.5, 0.25))
    assert losses(tmp_path) == [(1, 0.5), (2, 0.25)]


def test_another_run_in_the_same_folder_does_not_take_over_what_the_first_one_came_to(tmp_path):
    run(tmp_path)
    discard_outcome(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        *("best.npz", "config.yaml", "last.npz", "run.json")
    ]
    assert ActiveRun(tmp_path, config()).contents().epochs == []


def test_a_run_without_metrics_of_its_own_has_those_of_its_checkpoint(tmp_path):
    experiment, _ = run(tmp_path)
    before = losses(tmp_path)
    (tmp_path / paths.METRICS).unlink()
    assert losses(tmp_path) == before
    ActiveRun(tmp_path, experiment.config).write_epochs(history(1, 2, 3))
    assert len((tmp_path / paths.METRICS).read_text().splitlines()) == 3
