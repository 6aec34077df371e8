"""Compilation: `@kernel` lets Numba compile a loop over arrays at its first call, and keeps it.

A kernel does in one pass over memory what NumPy does in several. Importing this module, or one
with kernels in it, does not import Numba.

The machine code is kept beside the source, or in the user's cache folder if that is read-only, or
for this process alone if nothing can be written. Floating-point arithmetic is not reordered or
contracted, so that + − × ÷ and √ give the same bits as in NumPy. Integers meet float32 as float64
in Numba, so constants come as arguments of the arrays' own type.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, update_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

LOCK_SECONDS = 60
"""How long a process waits for another one that compiles the same kernel."""

log = logging.getLogger(__name__)
_inlined: list[Callable[..., Any]] = []
_announced: list[bool] = []


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Let kernels call `function`. It stays an ordinary function for everybody else."""
    _inlined.append(function)
    return function


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called, once for each type of its arguments."""

    def __init__(self, function: Callable[P, R]) -> None:
        update_wrapper(self, function)
        self.plain = function
        """The function itself, which Python runs slowly and a debugger can enter."""

    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> R:
        """Run the compiled function."""
        return self._compiled(*arguments, **keywords)

    @property
    def cache_folder(self) -> Path | None:
        """Where its machine code is kept; None if every process compiles it."""
        cache = getattr(self._compiled, "_cache", None)
        folder = None if cache is None else cache.cache_path
        return None if folder is None else Path(folder)

    @cached_property
    def _compiled(self) -> Callable[P, R]:
        import numba

        while _inlined:
            numba.extending.register_jitable(_inlined.pop())
        compiled = numba.njit(nogil=True, error_model="numpy")(self.plain)
        if hasattr(compiled, "_cache"):  # not with NUMBA_DISABLE_JIT
            _keep_on_disk(compiled, self.plain)
        return compiled


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile `function` at its first call."""
    return Kernel(function)


def _keep_on_disk(compiled: Any, function: Callable[..., Any]) -> None:  # noqa: ANN401 - Numba's
    """Let `compiled` look for its machine code on disk first, where a folder can be written."""
    from filelock import FileLock, Timeout
    from numba.core.caching import FunctionCache

    class SafeCache(FunctionCache):
        """Numba's cache for several processes; a file that cannot be read or written is no error.

        The lock is held from a miss until the compiled code is saved: whoever waits then finds it.
        """

        def __init__(self) -> None:
            super().__init__(function)
            self._make_lock()
            self._fingerprint = fingerprint(function)

        def _make_lock(self) -> None:
            self._lock = FileLock(Path(self.cache_path) / "kernels.lock", timeout=LOCK_SECONDS)
            self._process = os.getpid()

        def _index_key(self, *arguments: Any) -> tuple[Any, ...]:  # noqa: ANN401
            return (*super()._index_key(*arguments), self._fingerprint)

        def load_overload(self, *arguments: Any) -> Any:  # noqa: ANN401
            if self._process != os.getpid():  # a copy of a process cannot use its lock
                self._make_lock()
            try:
                self._lock.acquire()
            except (OSError, Timeout):
                return _announce()
            found = None
            try:
                found = super().load_overload(*arguments)
            except Exception:  # a damaged file may raise anything; it is written anew
                log.debug("an unreadable kernel is compiled again", exc_info=True)
                self._start_anew()
            if found is None:
                return _announce()
            self._lock.release()
            return found

        def _start_anew(self) -> None:
            with suppress(OSError):
                self.flush()

        def save_overload(self, *arguments: Any) -> None:  # noqa: ANN401
            try:
                if self._lock.is_locked:
                    super().save_overload(*arguments)
            except Exception:  # such as a full disk: the kernel is compiled, and that is enough
                log.debug("a compiled kernel cannot be kept", exc_info=True)
            finally:
                self._lock.release(force=True)

    try:
        compiled._cache = SafeCache()
    except (OSError, RuntimeError):  # Numba: no folder that can be written
        log.debug("compiled kernels cannot be kept: no folder can be written")


def _announce() -> None:
    """Log once that kernels are being compiled."""
    if not _announced:
        _announced.append(True)
        log.info("compiling the numerical kernels, which takes some seconds")


def fingerprint(function: Callable[..., Any]) -> str:
    """Return a hash of a function, of the functions that it calls and of the numbers it uses.

    Numba looks at the file of a kernel only, and would go on using it after a change elsewhere.
    """
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(repr(part).encode())
    return digest.hexdigest()


def _parts(function: Callable[..., Any], seen: set[int]) -> Iterator[object]:
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    code, cells = function.__code__, function.__closure__ or ()
    yield from _code(code)
    values = [function.__globals__.get(name) for name in code.co_names]
    for value in (*values, *(cell.cell_contents for cell in cells)):
        if isinstance(value, int | float):
            yield value
        yield from _parts(value, seen)


def _code(code: CodeType) -> Iterator[object]:
    yield code.co_code
    yield from (c for c in code.co_consts if not isinstance(c, CodeType))
