"""The command as a process: a copy of this one, or a fresh `python -m digit_exp`.

A fresh process imports for seconds what a copy has. It is for tests of the start itself, and of
launchers, whose workers start as their parent did.
"""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager
from io import FileIO, TextIOWrapper
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryFile
from threading import Timer

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

import digit_exp
from digit_exp.cli import entry

COMMAND = [sys.executable, "-m", "digit_exp"]
OWN = {"MLFLOW_TRACKING_URI", "HYDRA_FULL_ERROR", "DIGIT_EXP_SWEEP"}
SECONDS = 240


def environment(**own):
    """Return the environment without what a person may have set for this program."""
    return {name: value for name, value in os.environ.items() if name not in OWN} | own


class Command:
    """Runs fresh processes in a folder."""

    def run(self, folder, *words, expect=0, **own):
        """Run to the end, check the exit code and return what was printed."""
        with TemporaryFile() as out, TemporaryFile() as err:
            process = self._start(folder, words, out.fileno(), err.fileno(), own)
            try:
                code = process.wait(SECONDS)
            finally:
                process.kill()
                process.wait()
            printed = [_content(file, own) for file in (out, err)]
        assert code == expect, "".join(printed)
        return CompletedProcess(words, code, *printed)

    def interrupt(self, folder, *words, after, by=signal.SIGINT):
        """Send a signal when a line begins with `after`; return exit code and what was printed."""
        reader, writer = os.pipe()
        process = self._start(folder, words, writer, writer, {})
        os.close(writer)
        limit = Timer(120, process.kill)
        limit.start()
        printed = ""
        try:
            with os.fdopen(reader, encoding="utf-8") as lines:
                for line in lines:
                    printed += line
                    if line.startswith(after):
                        process.send_signal(by)
            return process.wait(60), printed
        finally:
            limit.cancel()
            process.kill()
            process.wait()

    @contextmanager
    def started(self, folder, *words, **own):
        """Start it and yield the process, which does not outlive the `with` block."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        process = self._start(folder, words, nowhere, nowhere, own)
        os.close(nowhere)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _start(self, folder, words, out, err, own):
        return subprocess.Popen(
            [*COMMAND, *words], cwd=folder, env=environment(**own), stdout=out, stderr=err
        )


class CopiedCommand(Command):
    """Runs copies of this process, which have everything imported."""

    def _start(self, folder, words, out, err, own):
        return Copy(folder, words, out, err, own)


class Copy:
    """A process that is a copy of this one and runs the command; used like a `Popen`."""

    def __init__(self, *arguments):
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_become, args=arguments)
        with warnings.catch_warnings():
            # of fork, where there are threads: those of this process hold nothing that is needed
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        self.pid = self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise TimeoutExpired("digit_exp", timeout)
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _become(folder, words, out, err, own):
    """Make the copy what a fresh process is, and run the command."""
    os.chdir(folder)
    kept = environment(**own)
    for name in {*os.environ} - {*kept}:
        del os.environ[name]
    os.environ.update(kept)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdout = TextIOWrapper(FileIO(1, "w", closefd=False), _encoding(own))
    sys.stderr = TextIOWrapper(FileIO(2, "w", closefd=False), _encoding(own), "backslashreplace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _forget_the_tests()
    sys.argv = [str(Path(digit_exp.__file__).with_name("__main__.py")), *words]
    sys.exit(entry.main())


def _forget_the_tests():
    """Undo what pytest and earlier tests did to logging, warnings and connections."""
    for handler in logging.root.handlers[:]:
        logging.root.removeHandler(handler)
    logging.root.setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("digit_exp") and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)
    warnings.resetwarnings()
    for ignored in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
        warnings.simplefilter("ignore", ignored)
    event.listen(Pool, "connect", lambda _, record: record.info.update(pid=os.getpid()))
    event.listen(Pool, "checkout", _refuse_inherited)


_inherited = []


def _refuse_inherited(connection, record, proxy):
    """Let a connection that the tests opened be opened anew: SQLite's do not survive a fork."""
    if record.info.get("pid") != os.getpid():
        _inherited.append(connection)  # closing it would undo the locks of this process
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("opened by another process")


def _encoding(own):
    return own.get("PYTHONIOENCODING") or "utf-8"


def _content(file, own):
    file.seek(0)
    return file.read().decode(_encoding(own), "surrogateescape")
