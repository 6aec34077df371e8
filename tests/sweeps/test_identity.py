"""Which runs are the same: those of one configuration, data and code."""

import subprocess

import pytest

from digit_exp.sweeps import identity
from digit_exp.sweeps.identity import code_version, config_hash
from tiny_runs import config


@pytest.fixture(autouse=True)
def _asked_anew():
    code_version.cache_clear()
    yield
    code_version.cache_clear()


def test_names_and_tracking_do_not_count_and_all_else_does():
    same = [config(), config(run_name="x"), config(tracking={"uri": "sqlite:///x.db"})]
    assert len({config_hash(one, "data") for one in same}) == 1
    others = [config(seed=7), config(optimizer={"name": "adam", "lr": 0.1})]
    hashes = {config_hash(one, "data") for one in [config(), *others]}
    assert len(hashes | {config_hash(config(), "other"), config_hash(config(), None)}) == 5


def test_git_is_not_asked(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert config_hash(config(), "data")


@pytest.mark.parametrize("name", ["numpy", "numba", "scipy"])
def test_the_versions_of_libraries_count(monkeypatch, name):
    before = config_hash(config(), "data")
    code_version.cache_clear()
    monkeypatch.setattr(f"{name}.__version__", "0.0")
    assert config_hash(config(), "data") != before


def test_nothing_is_reused_where_the_code_is_not_known(monkeypatch):
    monkeypatch.setattr(identity, "source_digest", lambda: None)
    first = config_hash(config(), "data")
    assert config_hash(config(), "data") == first  # within one process
    code_version.cache_clear()
    assert config_hash(config(), "data") != first
