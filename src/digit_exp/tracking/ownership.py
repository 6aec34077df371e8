"""Which process a run belongs to, and whether that process still lives.

A process that was killed cannot say so: its run would be called RUNNING for ever. On its own
machine it can be looked for. Its number alone does not settle it, as numbers are given again, after
a reboot and in every new container. From other machines only its heartbeat is seen, a time that it
writes every half minute while it trains: five minutes of silence, and it counts as dead.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

PID, HOST, SINCE = "digit_exp.pid", "digit_exp.host", "digit_exp.since"
HEARTBEAT = "digit_exp.heartbeat"
BEAT_SECONDS = 30
SILENCE_SECONDS = 300  # the clocks of the machines may differ, and a server may be away a while
SLACK_SECONDS = 2  # between the kernel's clock and the one that MLflow's times are taken from


def claim() -> dict[str, str]:
    """Return the tags of a run that this process works on from this moment."""
    return {PID: str(os.getpid()), HOST: platform.node(), SINCE: f"{time.time():.0f}", **beat()}


def beat() -> dict[str, str]:
    """Return the tag that says to other machines: still alive."""
    return {HEARTBEAT: f"{time.time():.0f}"}


def is_this(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is this process."""
    return tags.get(HOST) == platform.node() and tags.get(PID) == str(os.getpid())


def is_gone(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner exists no longer, or has been silent for too long."""
    if _is_here(tags):
        return not _lives(tags)
    silence = _silence(tags)
    return silence is not None and silence > SILENCE_SECONDS


def is_another(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is a living process other than this one."""
    if _is_here(tags):
        return tags[PID] != str(os.getpid()) and _lives(tags)
    return _silence(tags) is not None and not is_gone(tags)


def described(tags: Mapping[str, str]) -> str:
    """Return who the owner is, for a person."""
    who = f"process {tags.get(PID, '?')} on {tags.get(HOST, 'an unknown machine')}"
    silence = _silence(tags)
    if _is_here(tags) or silence is None:
        return who
    return f"{who}, last heard of {max(silence, 0):.0f} s ago"


def _silence(tags: Mapping[str, str]) -> float | None:
    """Return for how many seconds the owner has not been heard of, if it ever was."""
    text = tags.get(HEARTBEAT, "")
    return time.time() - int(text) if text.isdigit() else None


def _is_here(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner can be looked for: `kill` would end a process on Windows."""
    return os.name == "posix" and tags.get(HOST) == platform.node() and tags.get(PID, "").isdigit()


def _lives(tags: Mapping[str, str]) -> bool:
    pid = int(tags[PID])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    started, since = _started(pid), tags.get(SINCE, "")
    # a process that began after the run was claimed has only inherited the number
    return started is None or not since.isdigit() or started <= int(since) + SLACK_SECONDS


def _started(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970, where the kernel tells (Linux)."""
    try:
        # the second field is a name in brackets, which may have spaces and brackets itself
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(
            line.split()[1]
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    return int(boot) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
