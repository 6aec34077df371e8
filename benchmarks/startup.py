"""How long the quick commands take, as a user waits for them: the whole process.

    python benchmarks/startup.py [ROUNDS]

The first round fills the caches of the file system and does not count.
"""

import sys
import tempfile
from statistics import median

from measuring import machine, run, table

COMMANDS = {
    "nothing (the bare interpreter)": ["-c", ""],
    "`--help`": ["-m", "digit_exp", "--help"],
    "`--cfg job`": ["-m", "digit_exp", "--cfg", "job"],
}


def main() -> None:
    """Take turns, and print medians and the slowest."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for name, words in COMMANDS.items():
                done = run(sys.executable, *words, folder=folder)
                seconds[name].append(done.seconds)
    rows = [
        [name, f"{median(values[1:]):.2f}", f"{max(values[1:]):.2f}"]
        for name, values in seconds.items()
    ]
    print(table(["command", "median / s", "slowest / s"], rows))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
