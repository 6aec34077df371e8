"""What the system metrics of a run cost: one sample, written and sent to a new SQLite store.

python benchmarks/system_metrics.py [SAMPLES]

Processor time of the whole process, so other programs of the machine hardly matter.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from digit_exp.runs.system_metrics import SystemMonitor
from digit_exp.tracking.base import RunContents
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.sync.update_run import Synchronizer
from digit_exp.tracking.mlflow.uri import locate
from measuring import table

EVERY = 5.0
"""Seconds between two samples, as tracking.system_metrics has by default."""


def main() -> None:
    """Take samples, then send them one at a time, and print the time of each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client = connect(locate(None, folder))
        run_id = client.create_run(client.create_experiment("cost")).info.run_id
        monitor = SystemMonitor(folder, 1e-9, started=0)
        monitor.measure()
        taking = measured(monitor.measure, count)
        (sample,) = monitor.samples[-1:]
        sync, contents = Synchronizer(client, run_id, "1", folder), RunContents(folder)
        sync.send(contents)
        samples = iter([replace(sample, number=number) for number in range(count)])
        sending = measured(lambda: sync.send(replace(contents, samples=[next(samples)])), count)
    rows = [
        [name, f"{1000 * seconds:.1f}", f"{100 * seconds / EVERY:.2f} %"]
        for name, seconds in (("take and write", taking), ("send", sending))
    ]
    print(table(["a sample", "ms of a processor", f"of {EVERY:g} s"], rows))


def measured(work, count):
    """Return the processor time of doing it once, in seconds."""
    started = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - started) / count


if __name__ == "__main__":
    main()
