"""A configuration file from a stranger chooses values, and neither runs nor places anything."""

import os
import subprocess
import sys

import pytest

from composing import check
from digit_exp.config.compose import compose
from digit_exp.registry import ConfigError

SECRET = "correct-horse-battery-staple"
TEN_THOUSAND = "\n".join(f"key{number}: 1" for number in range(10_000))
ON_THE_COMMAND_LINE = "a file must not say that; say it on the command line"


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Write a preset of somebody's own and return everything that is said about it."""
    monkeypatch.setenv("DIGIT_EXP_TEST_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)

    def report(text, *words, package="_global_"):
        file = tmp_path / "conf" / "experiment" / "theirs.yaml"
        file.write_text(f"# @package {package}\n{text}\n")
        found = check(["experiment=theirs", *words], config_dir=str(tmp_path / "conf"))
        assert not (tmp_path / "executed").exists()
        assert SECRET not in str(found)
        return "\n".join(map(str, found))

    return report


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("optimizer: {_target_: os.system, command: touch executed}", "a function to call"),
        ("hydra: {callbacks: {a: {_target_: os.system}}}", "names a function to call, _target_"),
        ("hydra: {job_logging: {handlers: {a: {(): os.system}}}}", "names a function to call, ()"),
        ("run_name: !!python/object/apply:os.system ['touch executed']", "an object of Python"),
        ("run_name: !own [1]", "asks for an object of Python, !own"),
        (
            "defaults:\n  - override /hydra/launcher: joblib\n  - _self_\n"
            "hydra: {launcher: {pre_dispatch: exit()}}",
            f"hydra.launcher.pre_dispatch: {ON_THE_COMMAND_LINE}",
        ),
        ("hydra: {job: {env_set: {LD_PRELOAD: a.so}}}", f"LD_PRELOAD: {ON_THE_COMMAND_LINE}"),
        (
            "hydra: {job_logging: {handlers: {file: {class: code.Evil}}}}",
            f"hydra.job_logging.handlers.file.class: {ON_THE_COMMAND_LINE}",
        ),
    ],
)
def test_nothing_that_a_file_names_is_called(report, text, complaint):
    assert complaint in report(text)


@pytest.mark.parametrize(
    "text",
    [
        "run_name: ${oc.env:DIGIT_EXP_TEST_SECRET}",
        "tracking: {tags: {note: '${oc.env:DIGIT_EXP_TEST_SECRET}'}}",
        "defaults:\n  - override /optimizer: ${oc.env:DIGIT_EXP_TEST_SECRET}",
        "hydra: {job: {name: '${oc.env:DIGIT_EXP_TEST_SECRET}'}}",
        "data: {dir: '${oc.decode:${oc.env:DIGIT_EXP_TEST_SECRET}}'}",
    ],
)
def test_no_file_reads_the_environment(report, text):
    assert report(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("hydra: {run: {dir: /tmp/elsewhere}}", "hydra.run.dir"),
        ("hydra: {sweep: {dir: ../..}}", "hydra.sweep.dir"),
        ("hydra: {output_subdir: ../../..}", "hydra.output_subdir"),
        ("hydra: {sweeper: {storage: 'sqlite:////tmp/a.db'}}", "hydra.sweeper.storage"),
        ("hydra: {sweeper: {params: {hydra.run.dir: /tmp}}}", "hydra.sweeper.params.hydra"),
        ("hydra: {sweeper: {params: {tracking.uri: 'http://a'}}}", "params.tracking.uri"),
        ("tracking: {uri: 'sqlite:////tmp/a.db'}", "tracking.uri"),
        ("tracking: {uri: 'http://collector.example'}", "tracking.uri"),
        ("trainer: {checkpoint: {filename: ../../a.npz}}", "trainer.checkpoint.filename"),
        ("trainer: {checkpoint: {filename: '{epoch.__class__}.npz'}}", "checkpoint.filename"),
        ("sweep: {name: ../../elsewhere}", "sweep.name"),
        ("sweep: {name: ..}", "sweep.name"),
    ],
)
def test_no_file_says_where_things_are_written(report, text, key):
    assert key in report(text)


def test_a_file_in_a_folder_of_hydras_own_is_held_to_the_same(report, tmp_path):
    (tmp_path / "conf/hydra/job_logging").mkdir(parents=True)
    handler = "root:\n  handlers: [console]\nversion: 1\nhandlers: {console: {class: code.Evil}}"
    (tmp_path / "conf/hydra/job_logging/theirs.yaml").write_text(handler)
    said = report("seed: 7", "hydra/job_logging=theirs")
    assert f"hydra.job_logging.handlers.console.class: {ON_THE_COMMAND_LINE}" in said


def test_a_package_does_not_smuggle_settings_in(report):
    assert f"hydra.run.dir: {ON_THE_COMMAND_LINE}" in report("dir: /tmp", package="hydra.run")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (TEN_THOUSAND, "more than 5,000 values"),
        ("a: " + "[" * 10_000 + "]" * 10_000, "deeper than 20 levels"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", "refers to another value with *a"),
        ("run_name: " + "x" * 300_000, "a configuration has 262,144 at most"),
    ],
)
def test_a_file_that_would_fill_the_memory_is_refused_unread(report, text, complaint):
    assert complaint in report(text)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    (tmp_path / "experiment").mkdir()
    os.mkfifo(tmp_path / "experiment" / "pipe.yaml")
    assert check(["experiment=pipe"], config_dir=str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}",
        "defaults:\n  - override /hydra/launcher: joblib\nhydra: {launcher: {n_jobs: 2}}",
        "defaults:\n  - override /hydra/sweeper: optuna\n  - _self_\n"
        "hydra: {mode: MULTIRUN, sweeper: {n_trials: 3, sampler: RandomSampler,"
        " space: {optimizer.lr: {low: 0.1, high: 0.2}}}}",
        "tracking: {experiment: theirs, tags: {note: '$(touch executed)'}}\nrun_name: '`id`; ls'",
    ],
)
def test_what_presets_are_for_works(report, text):
    assert report(text) == ""


def test_a_person_may_say_on_the_command_line_what_a_file_may_not(report):
    words = ("tracking.uri=http://127.0.0.1:5000", "hydra.run.dir=/tmp/elsewhere")
    assert report("seed: 7", *words) == ""


def test_a_launcher_of_ones_own_is_chosen_on_the_command_line(tmp_path):
    (tmp_path / "hydra" / "launcher").mkdir(parents=True)
    (tmp_path / "hydra" / "launcher" / "two.yaml").write_text("defaults: [joblib]\nn_jobs: 2\n")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "theirs.yaml").write_text("# @package _global_\nseed: 7\n")
    words = ["experiment=theirs", "hydra/launcher=two", "seed=1,2"]
    assert len(compose(words, config_dir=str(tmp_path), multirun=True).jobs) == 2
    (tmp_path / "hydra" / "launcher" / "two.yaml").write_text("_target_: os.system\nn_jobs: 2\n")
    with pytest.raises(ConfigError, match="names a function to call"):
        compose(words, config_dir=str(tmp_path), multirun=True)


def test_names_are_text_wherever_they_end(tmp_path):
    """Names become tags, folders, a log, a command to paste: a shell must not see them bare."""
    name = "$(touch executed) `touch executed`; touch executed & ' \" \\"
    words = ["experiment=debug", "data=synthetic", "trainer.epochs=1", "tracking=none"]
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    subprocess.run(
        [sys.executable, "-m", "digit_exp", *words, f"run_name='{quoted}'"],
        cwd=tmp_path,
        check=True,
        timeout=120,
        capture_output=True,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_a_password_in_an_address_is_refused_and_not_repeated():
    (problem,) = check(["tracking.uri=postgresql://me:correct-horse@host/runs"])
    assert "Give it in the environment: MLFLOW_TRACKING_URI" in str(problem)
    assert "correct-horse" not in str(problem)
