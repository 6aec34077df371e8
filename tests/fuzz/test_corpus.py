"""Every input that fuzzing has kept is read or refused, today as on the day it was found."""

import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import targets

ROOM = 1 << 30


@pytest.fixture
def _little_room():
    """Give the test a gigabyte more than there is in use: a header that is believed wants more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory as Linux does")
@pytest.mark.usefixtures("_little_room")
@pytest.mark.parametrize("parser", targets.TARGETS)
def test_the_corpus_breaks_no_promise(parser):
    corpus = sorted((targets.CORPUS / parser).iterdir())
    assert corpus
    for file in corpus:
        assert targets.TARGETS[parser](file.read_bytes()), file.name
