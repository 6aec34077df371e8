"""Fuzz a parser, guided by coverage, and keep what reached new lines in the corpus.

    python tests/fuzz/fuzz.py idx 600        # seconds; also checkpoint, config

Needs `pip install atheris`. An input that breaks a promise is written to `crash-*`.
The corpus is replayed by the test suite.
"""

import hashlib
import resource
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

MEMORY = 4 << 30
"""Bytes of address space: whoever believes a header ends here."""


def main() -> None:
    parser, seconds = sys.argv[1], int(sys.argv[2])
    with atheris.instrument_imports(include=["digit_exp", "zipfile", "gzip"]):
        import targets
    corpus = targets.CORPUS / parser
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in targets.seeds(parser):
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    check = targets.TARGETS[parser]
    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-timeout=1200",
        "-print_final_stats=1",
        "-rss_limit_mb=1500",
        f"-artifact_prefix={targets.scratch().parent}/crash-{parser}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: check(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
