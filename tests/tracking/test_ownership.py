"""Whether the process that owns a run lives, as far as this machine can tell."""

import os
import platform
import subprocess
import sys

import psutil
import pytest

from digit_exp.tracking import ownership
from digit_exp.tracking.tags import Tag

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are looked up on POSIX only")


@pytest.fixture
def sleeper():
    """A living process of this machine that is not this one."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        yield process
        process.kill()


def owner(pid):
    return {**ownership.claim(), Tag.PID: str(pid)}


def test_a_living_process_is_another_and_not_gone(sleeper):
    assert ownership.is_another(owner(sleeper.pid))
    assert not ownership.is_gone(owner(sleeper.pid))


def test_this_process_is_neither_another_nor_gone():
    assert not ownership.is_another(ownership.claim())
    assert not ownership.is_gone(ownership.claim())


def test_a_killed_process_is_gone_before_its_parent_has_asked_for_its_exit_code(sleeper):
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert ownership.is_gone(owner(sleeper.pid))
    assert not ownership.is_another(owner(sleeper.pid))


def test_a_process_that_started_after_the_run_was_claimed_is_not_its_owner(sleeper):
    assert ownership.is_gone({**owner(sleeper.pid), Tag.SINCE: "1000000000"})


def test_a_number_that_no_process_can_have_is_gone():
    assert ownership.is_gone(owner(10**30))


def test_a_process_that_the_kernel_hides_is_not_gone(sleeper, monkeypatch):
    def hidden(pid):
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", hidden)
    assert not ownership.is_gone(owner(sleeper.pid))


def test_an_owner_that_cannot_be_looked_up_is_neither_gone_nor_another():
    for tags in ({Tag.PID: "?", Tag.HOST: platform.node()}, {}):
        assert not ownership.is_gone(tags)
        assert not ownership.is_another(tags)
