"""Processes that train one network together.

As with the ranks of MPI or of PyTorch's distributed training, all members of a team run the same
program on the same data. What `spread` divides each does a part of, what is `alone` the first does,
and after either they wait for each other. Everything else each does for itself, and it comes out
alike. Common to them are only arrays from `shared`.

The members are copies of the first process (a fork), so nothing has to be sent to them. Threads
would need none of this, but between any two short calls of NumPy they wait for the interpreter's
lock. BLAS has one thread in each member: its own threads spin while they wait, which costs a
neighbour on the machine a core. A member waits awake for a moment only, and then asleep.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from digit_exp.parts import WHOLE, Part

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from multiprocessing.synchronize import Semaphore

AWAKE = 80e-6
"""Seconds of waiting awake: as long as it takes to fall asleep and wake. More helps a little where
nobody else needs the core, and costs much where somebody does."""

ROOM = 2**20
"""Bytes that what one member tells the others may have."""

CHECK = 0.5
"""Seconds asleep after which the first member looks whether the others are still there."""

Work = Callable[[Part], object]
"""Computes a part of its output, and touches no other."""


T = TypeVar("T")

SIGNALS = {signal.SIGINT, signal.SIGTERM} | (
    {signal.SIGHUP} if hasattr(signal, "SIGHUP") else set()
)
"""What may come to all processes of a group, and is for the first member to decide on."""


class TeamError(RuntimeError):
    """A member of the team has ended before its time."""


_size = 1
_team: _Team | None = None


@contextmanager
def team(size: int) -> Iterator[None]:
    """Let `together` use `size` processes, this one included, inside the `with` block.

    Where a process cannot be copied it stays alone: on other systems than Linux, in a daemonic
    process of `multiprocessing`, and where the system has no semaphores (no `/dev/shm`).
    """
    from threadpoolctl import threadpool_limits  # what only who trains needs is imported there

    global _size
    before = _size
    with threadpool_limits(1, user_api="blas"):
        _size = size if _can_fork() else 1
        try:
            yield
        finally:
            _size = before


def planned() -> int:
    """Return how many processes `together` is to use."""
    return _size


def members() -> int:
    """Return how many processes work together now: 1 outside `together`."""
    return 1 if _team is None else _team.size


def together(program: Callable[[], None]) -> None:
    """Run `program` in all members of the `team`, and return when all have ended.

    If it raises in one, the others are ended and the error is raised here. Raises TeamError if a
    member is killed.
    """
    if _size == 1:
        program()
        return
    group = _Team(_size)
    try:
        group.start(program)
        with _at_work_in(group):
            program()
        group.wait()
    finally:
        group.dismiss()


def spread(work: Work) -> None:
    """Do each member's part of `work`; return when all parts are done."""
    if _team is None:
        work(WHOLE)
    else:
        work(Part(_team.rank, _team.size))
        _team.wait()


def alone(work: Callable[[], T]) -> T:
    """Let the first member do `work` while the others wait; return its result to all of them.

    It does not wait for the others before: what they may still read, `work` must not change.
    """
    group = _team
    if group is None:
        return work()
    if group.rank:
        group.wait()
        return group.told()  # type: ignore[no-any-return]
    with _at_work_in(None):
        result = work()
    group.tell(result)
    group.wait()
    return result


def shared(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros that members have in common if they start after it was made."""
    count = math.prod(shape)
    try:
        memory = mmap.mmap(-1, max(1, count * np.dtype(dtype).itemsize))
    except OSError as error:
        raise MemoryError(f"no memory for {count} numbers to share") from error
    return np.frombuffer(memory, dtype, count).reshape(shape)


def shared_copy(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that is `shared`."""
    copy = shared(array.shape, array.dtype)
    copy[...] = array
    return copy


def _can_fork() -> bool:
    import multiprocessing

    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    try:
        multiprocessing.get_context("fork").Semaphore()
    except (ImportError, OSError):
        return False
    return True


@contextmanager
def _at_work_in(group: _Team | None) -> Iterator[None]:
    global _team
    before, _team = _team, group
    try:
        yield
    finally:
        _team = before


class _Team:
    """The processes of one `together`: how they start, wait for each other and end."""

    def __init__(self, size: int) -> None:
        import multiprocessing

        self.size, self.rank = size, 0
        self._context = multiprocessing.get_context("fork")
        self._arrived = self._context.Semaphore(0)
        self._go_on = [self._context.Semaphore(0) for _ in range(size)]
        self._errors = self._context.SimpleQueue()
        # Two, in turn: who is late reads the one while the first member writes the other.
        self._said = [mmap.mmap(-1, ROOM) for _ in range(2)]
        self._processes: list[BaseProcess] = []

    def start(self, program: Callable[[], None]) -> None:
        """Start the other members."""
        parent = os.getpid()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until members ignore them
        try:
            for rank in range(1, self.size):
                process = self._context.Process(
                    target=self._serve, args=(rank, program, parent, mask), daemon=True
                )
                with warnings.catch_warnings():
                    # Python 3.12 warns of other threads' locks; members use NumPy and no other lock
                    warnings.simplefilter("ignore", DeprecationWarning)
                    process.start()
                self._processes.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def wait(self) -> None:
        """Return when all members have come here."""
        if self.rank:
            self._arrived.release()
            self._acquire(self._go_on[self.rank])
            return
        for _ in range(1, self.size):
            self._acquire(self._arrived)
        for go_on in self._go_on[1:]:
            go_on.release()

    def tell(self, value: object) -> None:
        """Leave a value for the others, who have it after the next `wait`."""
        said = self._next_to_say()
        said[0] = value is not None
        if value is not None:
            said.seek(1)
            pickle.dump(value, said)

    def told(self) -> Any:  # noqa: ANN401 - whatever was told
        """Return what was told before the latest `wait`."""
        said = self._next_to_say()
        if not said[0]:
            return None
        said.seek(1)
        return pickle.load(said)

    def _next_to_say(self) -> mmap.mmap:
        self._said.reverse()
        return self._said[0]

    def dismiss(self) -> None:
        """End the other members wherever they are: they own nothing."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
            process.close()
        self._errors.close()

    def _acquire(self, semaphore: Semaphore) -> None:
        end = time.perf_counter() + AWAKE
        while time.perf_counter() < end:
            if semaphore.acquire(False):
                return
        # the others are ended with the first member, whatever they wait for
        while not semaphore.acquire(timeout=None if self.rank else CHECK):
            self._check()

    def _check(self) -> None:
        """Raise what ended a member too early."""
        codes = [p.exitcode for p in self._processes if p.exitcode is not None]
        if not self._errors.empty():  # read after the codes: a member tells, and then ends
            raise self._errors.get()
        if codes:
            raise TeamError(
                f"a process that took part in the training ended with code {codes[0]}, perhaps"
                " killed for lack of memory; trainer.threads=1 needs no other"
            )

    def _serve(
        self, rank: int, program: Callable[[], None], parent: int, mask: set[signal.Signals]
    ) -> None:
        """Run the program as one of the others."""
        self.rank, self._processes = rank, []
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _end_with_parent(parent)
        try:
            with _at_work_in(self):
                program()
            self.wait()
        except BaseException as error:
            self._errors.put(_portable(error))
            raise SystemExit(1) from None


def _end_with_parent(parent: int) -> None:
    """Have the system end this process when the first member ends, even if that is killed."""
    import ctypes

    PR_SET_PDEATHSIG = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _portable(error: BaseException) -> BaseException:
    """Return the error, or one that says the same, with its traceback as a note."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = TeamError(repr(error))
    error.add_note("".join(traceback.format_exception(error)))
    return error
