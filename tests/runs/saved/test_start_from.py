"""`start_from=RUN`: a run of its own that begins with the best weights of another one."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import digit_exp
from digit_exp.cli import entry, main
from digit_exp.config.compose import compose
from digit_exp.runs import train_and_evaluate
from digit_exp.runs.experiment import load_data, train_val_splits
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved import start_from
from digit_exp.runs.saved.handover.export_run import export_run
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.reproduce import Verdict, reproduce
from digit_exp.runs.saved.start_from import pin, pin_plan
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.tries.comparison import comparison
from digit_exp.training.checkpoint import load_checkpoint, save_network
from tiny_runs import WORDS

ORIGIN = "outputs/of two words/one"
BEST = "checkpoints/best.npz"
START = f"start_from='{ORIGIN}'"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a run in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("origin"))
        patch.setattr(train_and_evaluate, "draw", lambda *arguments: None)
        digit_exp.run(*WORDS, name="one", folder=ORIGIN)
        return Path.cwd()


@pytest.fixture(autouse=True)
def _place(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_and_evaluate, "draw", lambda *arguments: None)


def begun(*words, **options):
    return digit_exp.run(*WORDS, *words, **options)


def storage(network):
    return network.parameters.storage


def best():
    return load_checkpoint(Path(ORIGIN) / BEST).network


def refused(capsys, *words):
    before = {run.folder for run in Runs().all}
    assert main.main([*WORDS, *words]) == 2
    assert {run.folder for run in Runs().all} == before
    return capsys.readouterr().err


@pytest.mark.parametrize("named", [ORIGIN, "one", "best", "latest", f"{ORIGIN}/{BEST}"])
def test_a_run_begins_with_the_best_weights_and_says_so(named):
    run = begun("trainer.epochs=0", start_from=named)
    np.testing.assert_array_equal(storage(run.network()), storage(best()))
    assert run.tags["digit_exp.start_from"].startswith(ORIGIN)
    assert "begins with the weights of one" in (run.folder / "digit_exp.log").read_text()


def test_all_but_the_weights_is_new():
    run = begun("trainer.epochs=2", start_from=Runs().find("one"))
    state = run.checkpoint().state
    assert [metrics["epoch"] for metrics in state.history] == [1, 2]
    assert state.step == 2 * 5
    assert not np.array_equal(storage(run.network()), storage(best()))


def test_its_validation_images_are_those_of_the_other_run():
    (config,) = pin_plan(compose([*WORDS, START, "seed=7"])).jobs
    (origin,) = compose(WORDS).jobs
    rows = [train_val_splits(each, load_data(each.data))[1].rows for each in (config, origin)]
    np.testing.assert_array_equal(*rows)


def test_a_run_with_another_split_says_that_its_accuracy_is_too_high(caplog):
    with caplog.at_level(logging.WARNING):
        begun(START, "data.split_seed=1", "trainer.epochs=0")
    assert "too high" in caplog.text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["model.hidden=[8]"], "dense_1 (weight 784 × 16"),
        (["model.hidden=[16,8]"], "dense_2"),
        (["model.activation=tanh"], "tanh_1"),
        (["data.height=14"], "784 pixels"),
        (["data.classes=4"], "dense_2 (weight 16 × 10"),
        (["data.normalize=standardize"], "standardize_1"),
    ],
)
def test_other_layers_are_refused_by_name_before_anything_is_made(capsys, words, named):
    assert named in refused(capsys, START, *words)
    assert named in refused(capsys, START, *words, "-m", "optimizer.lr=0.1,0.2")
    assert named in refused(capsys, START, *words, "--dry-run")


def test_what_differs_without_weights_is_no_reason():
    assert begun(START, "regularization.dropout=0.5", "trainer.epochs=0").status == "FINISHED"


def test_what_is_no_run_with_weights_is_refused(capsys):
    assert "nobody" in refused(capsys, "start_from=nobody")
    assert "leave out" in refused(capsys, START, f"resume='{ORIGIN}'")
    assert "start_from=RUN,RUN" in refused(
        capsys, "sweep=tpe", "hydra.sweeper.space.start_from={type:categorical,choices:[one,best]}"
    )
    network = best()
    storage(network)[3] = np.nan
    save_network(Path(ORIGIN) / BEST, network)
    assert "not finite" in refused(capsys, START)
    record = RunRecord.read(Path(ORIGIN))
    record.status, record.host = "RUNNING", "elsewhere"
    record.write(Path(ORIGIN))
    assert "still running" in refused(capsys, START)


def test_without_a_best_checkpoint_the_tested_network_is_taken():
    (Path(ORIGIN) / BEST).unlink()
    run = begun(START, "trainer.epochs=0")
    np.testing.assert_array_equal(storage(run.network()), storage(best_of_last()))


def best_of_last():
    return load_checkpoint(Path(ORIGIN) / "checkpoints/last.npz").outcome


def test_the_digest_of_the_weights_and_not_their_place_is_the_identity():
    (config,) = pin_plan(compose([*WORDS, START])).jobs
    shutil.copytree(ORIGIN, "elsewhere")
    (same,) = pin_plan(compose([*WORDS, "start_from=elsewhere"])).jobs
    assert same.start_from != config.start_from
    assert config_hash(same, "data") == config_hash(config, "data")
    other = replace(config, start_from=None)
    network = best()
    storage(network)[0] += 1
    save_network(Path("elsewhere") / BEST, network)
    (changed,) = pin_plan(compose([*WORDS, "start_from=elsewhere"])).jobs
    assert len({config_hash(each, "data") for each in (config, other, changed)}) == 3


def test_it_is_reproduced_unless_the_weights_are_gone_or_others():
    run = begun(START, "seed=3")
    again = reproduce(run, Path("again"), track=False, tolerance=0)
    assert again.verdict is Verdict.identical
    save_network(Path(ORIGIN) / BEST, run.network())
    start_from._find_again.cache_clear()  # as in another process
    with pytest.raises(digit_exp.ConfigError, match="others than those"):
        reproduce(run, Path("changed"), track=False, tolerance=0)
    shutil.rmtree(ORIGIN)
    start_from._find_again.cache_clear()
    with pytest.raises(digit_exp.ConfigError, match="start_from"):
        reproduce(run, Path("gone"), track=False, tolerance=0)
    assert not Path("changed").exists() | Path("gone").exists()


def test_its_archive_is_verified_where_the_other_run_is(capsys):
    export_run(begun(START, "seed=3"), Path("run.zip"))
    capsys.readouterr()
    assert entry.main(["verify", "run.zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "bit-identical"
    before = list(Path("outputs/reproductions").iterdir())
    shutil.rmtree(ORIGIN)
    start_from._find_again.cache_clear()  # as in another process
    assert entry.main(["verify", "run.zip"]) == 2
    assert f"start_from: '{ORIGIN}'" in capsys.readouterr().err
    assert list(Path("outputs/reproductions").iterdir()) == before


def interrupt(run):
    """Let a run look as if it had been killed after its last epoch, of four."""
    record = RunRecord.read(run.folder)
    record.status, record.reason, record.summary, record.pid = "KILLED", "killed", {}, 1
    record.write(run.folder)


def test_an_interrupted_run_goes_on_without_the_other_one():
    run = begun(START)
    interrupt(run)
    shutil.rmtree(ORIGIN)
    start_from._find_again.cache_clear()
    assert main.main([f"resume={run.folder}"]) == 0
    assert Runs().find(str(run.folder)).status == "FINISHED"


def test_a_sweep_over_runs_goes_on_with_its_own_checkpoints(capsys):
    shutil.copytree(ORIGIN, "outputs/two")
    network = best()
    storage(network)[0] += 1
    save_network(Path("outputs/two") / BEST, network)
    words = ["-m", *WORDS, f"start_from='{ORIGIN}',outputs/two,null", "sweep.name=s"]
    assert main.main([*words, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["varied"] == ["start_from"]  # all on the same validation images
    assert main.main(words) == 0
    jobs = [run for run in Runs().all if run.sweep == "s"]
    assert len({run.tags.get("digit_exp.start_digest") for run in jobs}) == 3
    (one,) = (run for run in jobs if run.tags.get("digit_exp.start_from") == ORIGIN)
    interrupt(one)
    shutil.rmtree(ORIGIN)
    start_from._find_again.cache_clear()
    assert main.main(words) == 0
    assert Runs().find(str(one.folder)).status == "FINISHED"
    shutil.rmtree(one.folder)  # killed before its first checkpoint
    assert main.main(words) != 0
    assert "start_from" in capsys.readouterr().err


def test_a_search_knows_the_runs_before_it_begins():
    words = [*WORDS, "trainer.epochs=1", "sweep=random", "sweep.name=s"]
    words += ["hydra.sweeper.n_trials=1", "hydra.sweeper.space.optimizer.lr.low=1e-4"]
    assert main.main([*words, "start_from=latest"]) == 0
    (job,) = (run for run in Runs().all if run.sweep == "s")
    assert (job.run_config().start_from or "").startswith(f"{ORIGIN}@")
    assert job.run_config().data.split_seed == 42


def test_pinned_weights_stay_as_they_are():
    (config,) = pin_plan(compose([*WORDS, START])).jobs
    assert pin(config) == config


def test_both_sides_of_a_try_have_the_validation_images_of_the_run():
    found = comparison([START], both=[*WORDS, "seed=9"])
    assert found.baseline.data.split_seed == found.change.data.split_seed == 42
    assert found.baseline.start_from is None
    with pytest.raises(digit_exp.ConfigError, match="better than it is"):
        comparison([START], both=[*WORDS, "data.val_ratio=0.3"])


def test_weights_of_an_unknown_run_are_taken_with_a_remark(caplog):
    save_network("w.npz", best())
    with caplog.at_level(logging.WARNING):
        begun("start_from=w.npz", "trainer.epochs=0")
    assert "not known which images" in caplog.text
