"""Jobs that are listed: keys whose values go together (`sweep.zip`), and files (`sweep.jobs`)."""

import pytest

from composing import check
from digit_exp.config.compose import compose
from digit_exp.config.serialize import flatten

ZIP = "sweep.zip={optimizer: [sgd, adam], optimizer.lr: [0.1, 0.001]}"


def jobs(*words, keys=("optimizer", "optimizer.lr", "seed")):
    found = compose(words)
    assert found.is_sweep
    return [tuple(flatten(config)[key] for key in keys) for config in found.jobs]


def problems(*words):
    return [(problem.path, problem.message) for problem in check(words)]


@pytest.fixture
def rows(tmp_path):
    """Return the word for a file of jobs."""

    def rows(text, name="jobs.csv"):
        (tmp_path / name).write_text(text)
        return f"sweep.jobs={tmp_path / name}"

    return rows


def test_values_that_go_together():
    assert jobs(ZIP) == [("sgd", 0.1, 42), ("adam", 0.001, 42)]


def test_rows_are_combined_with_swept_keys_the_rows_fastest():
    assert jobs(ZIP, "seed=1,2") == [
        ("sgd", 0.1, 1),
        ("adam", 0.001, 1),
        ("sgd", 0.1, 2),
        ("adam", 0.001, 2),
    ]


def test_a_preset_may_hold_them(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\n# Pairs.\nsweep:\n  zip: {optimizer.lr: [1, 2], seed: [3, 4]}\n"
    (tmp_path / "experiment" / "pairs.yaml").write_text(text)
    found = compose(["experiment=pairs"], config_dir=str(tmp_path))
    assert [(job.optimizer.lr, job.seed) for job in found.jobs] == [(1, 3), (2, 4)]


def test_a_table_has_a_column_for_each_key(rows):
    word = rows('optimizer,optimizer.lr, seed\nsgd,1e-1,\nlion, 0.5 ,7\n,0.25,"8"\n')
    assert jobs(word) == [("sgd", 0.1, 42), ("lion", 0.5, 7), ("adam", 0.25, 8)]


def test_lists_and_text_stand_in_cells_as_on_the_command_line(rows):
    word = rows('model.hidden,run_name\n"[8,4]",007\n[],"a, b"\n')
    assert jobs(word, keys=("model.hidden", "run_name")) == [([8, 4], "007"), ([], "a, b")]


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_yaml_has_a_mapping_for_each_job_nested_or_dotted(rows, suffix):
    text = "- {optimizer: sgd, optimizer.lr: 1e-1}\n- optimizer: {lr: 0.5}\n  seed: 3\n"
    assert jobs(rows(text, f"jobs.{suffix}")) == [("sgd", 0.1, 42), ("adam", 0.5, 3)]


def test_a_file_is_combined_with_swept_keys(rows):
    assert len(jobs(rows("seed\n1\n2\n3\n"), "optimizer=sgd,adam")) == 6


def test_everything_wrong_is_said_at_once_with_the_rows(rows):
    word = rows("optimizer,optimizer.lr,seed\nsgdd,1,1\nsgd,fast,2\nadam,0.1,x\nadam,fast,3\n")
    found = dict(problems(word))
    assert found.keys() == {"optimizer", "optimizer.lr", "seed"}
    assert found["optimizer"].endswith("(row 1 of jobs.csv)")
    assert found["optimizer.lr"].endswith("(rows 2, 4 of jobs.csv)")
    assert found["seed"].endswith("(row 3 of jobs.csv)")


def test_a_row_is_named_whatever_it_is_combined_with(rows):
    ((path, message),) = problems(rows("optimizer.lr\n1\n-1\n"), "seed=1,2,3")
    assert path == "optimizer.lr"
    assert message.endswith("(row 2 of jobs.csv)")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tracking.uri\nsqlite:///a.db\n", "row 1"),
        ("hydra.sweeper.n_jobs\n2\n", "row 1"),
        ("optimizer.lr\n0.1\n0.1\n", "rows 1, 2"),
        ("seed\n'1,2'\n", "row 1"),
        ("optimizer.lr,seed\n0.1\n", "row 1"),
        ("optimizer.lr\n0.1,2\n", "row 1"),
        ("seed,seed\n1,2\n", "first line"),
        ("seed\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_tables_that_cannot_be(rows, text, named):
    ((_, message),) = problems(rows(text))
    assert named in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("seed: 1\n", "list"),
        ("- 1\n- 2\n", "mapping"),
        ("- {seed: [1, 2]}\n- {seed: 3}\n", "row 1"),
        ("- {optimizer: {name: sgd}}\n- {seed: 3}\n", "optimizer=sgd"),
        ("- {a: *b}\n", "cannot be read"),
        ("- {run_name: '${oc.env:HOME}'}\n- {seed: 3}\n", "row 1"),
    ],
)
def test_yaml_that_cannot_be(rows, text, named):
    assert any(named in message for _, message in problems(rows(text, "jobs.yaml")))


@pytest.mark.parametrize(
    ("words", "path", "named"),
    [
        (["sweep.zip={optimizer.lr: [1, 2], seed: [1]}"], "sweep.zip", "optimizer.lr: 2, seed: 1"),
        (["sweep.zip={optimizer.lr: 1}"], "sweep.zip", "list"),
        (["sweep.zip=3"], "sweep.zip", "list"),
        (["sweep.zip={}"], "sweep.zip", "no values"),
        (["sweep.zip={seed: []}"], "sweep.zip", "no values"),
        ([ZIP, "optimizer=sgd,adam"], "optimizer", "one place"),
        ([ZIP, "optimizer.lr=0.1"], "optimizer.lr", "one place"),
        ([ZIP, "sweep=tpe"], "sweep.zip", "search"),
        ([ZIP, "sweep.jobs=jobs.csv"], "sweep.zip", "sweep.jobs"),
        (["sweep.jobs=missing.csv"], "sweep.jobs", "missing.csv"),
        (["sweep.jobs=jobs.txt"], "sweep.jobs", ".csv"),
        (["sweep.zip={seed: [1]},{seed: [2]}"], "sweep.zip", "choose one"),
    ],
)
def test_what_cannot_be_is_refused(words, path, named):
    found = problems(*words)
    assert path in dict(found)
    assert named in dict(found)[path]


@pytest.mark.parametrize(
    ("start", "launcher"),
    [("command", "basic"), pytest.param("fresh_command", "joblib", marks=pytest.mark.slow)],
)
def test_a_listed_sweep_runs_and_goes_on(tmp_path, request, start, launcher):
    command = request.getfixturevalue(start)
    tiny = ["data=synthetic", "trainer.epochs=1", "model.hidden=[4]", "tracking=none"]
    printed = command.run(tmp_path, *tiny, ZIP).stdout
    assert "[2/2]" in printed
    longer = ZIP.replace("sgd, adam", "sgd, adam, lion").replace("0.001", "0.001, 0.002")
    again = command.run(tmp_path, *tiny, longer, f"hydra/launcher={launcher}").stdout
    assert again.count("was done before") == 2
    assert "[3/3]" in again
