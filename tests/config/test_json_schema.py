"""Editors are given the schema of every file, and it says the same as the program."""

import json
import re
from functools import cache

import jsonschema
import pytest
from omegaconf import OmegaConf
from referencing import Registry
from referencing.jsonschema import DRAFT7

from composing import check
from digit_exp.cli.entry import main
from digit_exp.config.json_schema import schemas
from digit_exp.config.paths import conf_dir

CONF = conf_dir()
FILES = sorted(CONF.rglob("*.yaml"))
LINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.M)
GLOBAL = "# @package _global_\n"


def schema_of(file):
    (found,) = LINE.findall(file.read_text(encoding="utf-8"))
    return file.parent / found


def read(text):
    """Read YAML as the program and editors do: 1e-8 is a number."""
    return OmegaConf.to_container(OmegaConf.create(text), resolve=False)


@cache
def validator(name):
    """Return what an editor checks a file with: the schemas may refer to each other."""
    found = schemas()
    files = {f"{other}.json": DRAFT7.create_resource(schema) for other, schema in found.items()}
    registry = Registry().with_resources(files.items())
    return jsonschema.Draft7Validator(found[name], registry=registry)


def errors(name, text):
    """Return what an editor underlines, as the deepest message of each error."""
    return [*validator(name).iter_errors(read(text))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_every_file_names_its_schema_at_the_top_and_is_valid(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert LINE.match(lines[lines[0].startswith("# @package")])
    schema = json.loads(schema_of(file).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator(schema_of(file).stem).validate(read(file.read_text(encoding="utf-8")))


def test_the_files_beside_the_yaml_are_those_that_are_generated():
    written = {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in (CONF / "schemas").glob("*.json")
    }
    assert written == schemas(), "write them anew: digit-exp schema --write conf/schemas"


def test_the_command_writes_them(tmp_path, capsys):
    assert main(["schema", "--write", str(tmp_path / "new")]) == 0
    written = {file.stem for file in (tmp_path / "new").glob("*.json")}
    assert written == schemas().keys()
    capsys.readouterr()
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schemas()


WRONG = [
    ("experiment", "optimizer: {lrr: 0.1}"),
    ("experiment", "optimizer: {lr: fast}"),
    ("experiment", "optimizer: {lr: -1}"),
    ("experiment", "optimizer.lr: fast"),
    ("experiment", "optimizer.lrr: 0.1"),
    ("experiment", "sede: 7"),
    ("experiment", "seed: -1"),
    ("experiment", "seed: 1.5"),
    ("experiment", "model: {activation: rleu}"),
    ("experiment", "model: {hidden: 128}"),
    ("experiment", "model: {hidden: [128, 0]}"),
    ("experiment", "trainer: {early_stopping: {enabled: maybe}}"),
    ("experiment", "trainer: {early_stopping: {patience: 0}}"),
    ("experiment", "run_name: 7"),
    ("experiment", "tracking: {tags: {year: 2024}}"),
    ("sweep", "sweep: {rerun: 1}"),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_what_the_program_refuses_an_editor_underlines(name, text, tmp_path):
    assert errors(name, text)
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.yaml").write_text(GLOBAL + text)
    assert check([f"{name}=mine"], config_dir=str(tmp_path))


RIGHT = [
    ("experiment", "optimizer: {lr: 1}"),
    ("experiment", "optimizer: {clip_norm: null}"),
    ("experiment", "optimizer.lr: 0.1"),
    ("experiment", "trainer: {early_stopping.patience: 3}"),
    ("experiment", "tracking: {tags: {a.b: c}}"),
    ("experiment", "defaults: [{override /optimizer: sgd}]\nmodel: {hidden: []}"),
    ("sweep", "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}"),
]


@pytest.mark.parametrize(("name", "text"), RIGHT)
def test_what_the_program_accepts_an_editor_does(name, text, tmp_path):
    assert errors(name, text) == []
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.yaml").write_text(GLOBAL + text)
    assert check([f"{name}=mine"], config_dir=str(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "text", "is_right"),
    [
        ("optimizer", "defaults: [schema/momentum]\nmomentum: 0.5", True),
        ("optimizer", "defaults: [momentum]\nlr: 0.5", True),
        ("optimizer", "defaults: [schema/adam]\nmomentum: 0.5", False),
        ("optimizer", "defaults: [schema/adam]\nbeta1: 2", False),
        ("optimizer", "defaults: [schema/adamm]", False),
        ("optimizer", "lr: 0.1", False),
        ("trainer", "defaults: [schema]\nepochs: 3", True),
        ("trainer", "epochs: three", False),
        ("space", "optimizer.lr: {type: float, low: 0.1, high: 1}", True),
        ("space", "optimizer.lr: {type: flaot, low: 0.1}", False),
        ("space", "optimizer.lr: {type: int, hihg: 3}", False),
    ],
)
def test_the_keys_of_a_group_are_those_of_its_class(name, text, is_right):
    assert (errors(name, text) == []) == is_right


def test_every_key_says_what_it_means():
    fields = schemas()["config"]["properties"]["trainer"]["properties"]
    assert fields["batch_size"]["description"].endswith("whole number at least 1")
    assert fields["batch_size"]["default"] == 32
