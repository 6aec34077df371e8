"""Which process owns a run, and whether that process is alive.

The run of a killed process would stay RUNNING for ever. On the same machine the process is
looked up by PID and start time, as PIDs are reused after a reboot and in every new container. Other
machines see only its heartbeat, a time that it writes every 30 s while it trains: after 300 s
without one it counts as dead.
"""

import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress

from digit_exp.tracking.tags import Tag

BEAT_SECONDS = 30
SILENCE_SECONDS = 300  # the clocks of the machines may differ, and a server may be away a while
SLACK_SECONDS = 2  # between the kernel's clock and the one that MLflow's times are taken from


def claim() -> dict[str, str]:
    """Return the tags by which this process becomes the owner of a run."""
    return {
        Tag.PID: str(os.getpid()),
        Tag.HOST: platform.node(),
        Tag.SINCE: f"{time.time():.0f}",
        **beat(),
    }


def beat() -> dict[str, str]:
    """Return the tag with the heartbeat, for other machines."""
    return {Tag.HEARTBEAT: f"{time.time():.0f}"}


def is_later(tags: Mapping[str, str], owner: Mapping[str, str]) -> bool:
    """Tell whether another process became the owner after `owner` did."""
    if not {Tag.PID, Tag.HOST, Tag.SINCE} <= tags.keys() or not owner:
        return False
    if (tags[Tag.PID], tags[Tag.HOST]) == (owner[Tag.PID], owner[Tag.HOST]):
        return False
    return int(tags[Tag.SINCE]) >= int(owner[Tag.SINCE])


def is_gone(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is dead, or its heartbeat too old."""
    if _is_here(tags):
        return not _lives(tags)
    silence = _silence(tags)
    return silence is not None and silence > SILENCE_SECONDS


def is_own(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is this process."""
    return (tags.get(Tag.PID), tags.get(Tag.HOST)) == (str(os.getpid()), platform.node())


def is_another(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner is a living process other than this one."""
    if _is_here(tags):
        return not is_own(tags) and _lives(tags)
    return _silence(tags) is not None and not is_gone(tags)


def described(tags: Mapping[str, str]) -> str:
    """Return who the owner is, for messages."""
    who = f"process {tags.get(Tag.PID, '?')} on {tags.get(Tag.HOST, 'an unknown machine')}"
    silence = _silence(tags)
    if _is_here(tags) or silence is None:
        return who
    return f"{who}, last heard of {max(silence, 0):.0f} s ago"


def _silence(tags: Mapping[str, str]) -> float | None:
    """Return the seconds since the last heartbeat, if there was one."""
    text = tags.get(Tag.HEARTBEAT, "")
    return time.time() - int(text) if text.isdigit() else None


def _is_here(tags: Mapping[str, str]) -> bool:
    """Tell whether the owner can be looked up here: on Windows `kill` would end it."""
    return (
        os.name == "posix"
        and tags.get(Tag.HOST) == platform.node()
        and tags.get(Tag.PID, "").isdigit()
    )


def _lives(tags: Mapping[str, str]) -> bool:
    import psutil  # slow to import, and seldom needed

    pid, since = int(tags[Tag.PID]), tags.get(Tag.SINCE, "")
    try:
        with suppress(PermissionError):  # another user's process
            os.kill(pid, 0)
        process = psutil.Process(pid)
        # a process that started after the run was claimed has only the same PID
        is_owner = not since.isdigit() or process.create_time() <= int(since) + SLACK_SECONDS
        lives: bool = is_owner and process.status() != psutil.STATUS_ZOMBIE
        return lives
    except (ProcessLookupError, OverflowError):
        return False
    except psutil.Error:  # it exists, but the kernel hides other users' processes
        return True
