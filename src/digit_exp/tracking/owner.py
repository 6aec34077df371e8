"""Which process a run belongs to, and whether that process still lives.

A process that was killed cannot say so: its run would be called RUNNING for ever. Its number alone
does not settle it, as numbers are given again, after a reboot and in every new container.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

PID, HOST, SINCE = "digit_exp.pid", "digit_exp.host", "digit_exp.since"
SLACK_SECONDS = 2  # between the kernel's clock and the one that MLflow's times are taken from


def claim() -> dict[str, str]:
    """Return the tags of a run that this process works on from this moment."""
    return {PID: str(os.getpid()), HOST: platform.node(), SINCE: f"{time.time():.0f}"}


def is_gone(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner was a process of this machine that exists no longer."""
    return _is_here(tags) and not _lives(tags)


def is_another(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is a living process of this machine, other than this one."""
    return _is_here(tags) and tags[PID] != str(os.getpid()) and _lives(tags)


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
