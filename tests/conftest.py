"""The real command in a subprocess, for the tests that watch it from outside."""

import os
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "digit_exp"]
OWN = {"MLFLOW_TRACKING_URI", "HYDRA_FULL_ERROR", "DIGIT_EXP_SWEEP"}


class Command:
    """Runs `python -m digit_exp` in a folder."""

    def run(self, folder, *words, expect=0):
        """Run to the end, check the exit code and return what was printed."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def interrupt(self, folder, *words, after, by=signal.SIGINT):
        """Send a signal when a line begins with `after`; return exit code and what was printed."""
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if line.startswith(after):
                    process.send_signal(by)
            return process.wait(timeout=60), printed
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _environment():
    return {name: value for name, value in os.environ.items() if name not in OWN}


@pytest.fixture(scope="session")
def command():
    return Command()
