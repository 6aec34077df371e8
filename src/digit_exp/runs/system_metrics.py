"""What the machine did during a run: processor, memory, disk, network, named as MLflow does.

They are in a file of their own, so no comparison of runs sees them. The thread that mirrors the run
measures; training does nothing for it.
"""

import logging
import math
import time
from contextlib import suppress
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.runs import metrics_file, paths
from digit_exp.tracking.base import Epoch

log = logging.getLogger(__name__)

COUNTER = "second"
MEGABYTE = 1e6


def read_samples(folder: Path) -> list[Epoch]:
    """Return the samples of a run; of a resumed one, those before it too."""
    with suppress(OSError):
        return metrics_file.read(folder / paths.SYSTEM_METRICS, COUNTER)
    return []


class SystemMonitor:
    """Measures every so many seconds, for a run that started at `started` (in milliseconds)."""

    def __init__(self, folder: Path, every: float, started: int) -> None:
        self.samples = read_samples(folder)
        self._file = folder / paths.SYSTEM_METRICS
        self._every = every
        self._started = started
        self._due: float | None = None

    def measure(self) -> None:
        """Take a sample and write it, if it is time. The first call only starts the counters."""
        try:
            self._measure()
        except Exception as error:  # whatever this machine does not tell, the run goes on
            log.warning("no system metrics: %s", error)
            self._due = math.inf

    def _measure(self) -> None:
        import psutil  # slow to import, and not needed by the thread that trains

        if self._due is None:
            self._process = psutil.Process()
            self._before = psutil.net_io_counters()
            self._percentages()
            self._due = time.monotonic() + min(1, self._every)
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            at = time.time_ns() // 1_000_000
            sample = Epoch((at - self._started) // 1000, at, self._metrics())
            if self.samples and self.samples[-1].number >= sample.number:
                return  # one a second; and a clock that was set back
            self.samples.append(sample)
            with suppress(OSError):  # a full disk: the store has the sample
                metrics_file.append(self._file, [sample], COUNTER)

    def _percentages(self) -> dict[str, float]:
        """Return the share of processor time since the last call: of all cores, and of one."""
        import psutil

        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/process_cpu_percentage": self._process.cpu_percent(),
        }

    def _metrics(self) -> Metrics:
        import psutil

        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._file.parent))
        network = psutil.net_io_counters()
        received = network.bytes_recv - self._before.bytes_recv
        sent = network.bytes_sent - self._before.bytes_sent
        return self._percentages() | {
            "system/process_memory_megabytes": self._process.memory_info().rss / MEGABYTE,
            "system/system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system/system_memory_usage_percentage": 100 * memory.used / memory.total,
            "system/disk_usage_percentage": disk.percent,
            "system/disk_usage_megabytes": disk.used / MEGABYTE,
            "system/disk_available_megabytes": disk.free / MEGABYTE,
            "system/network_receive_megabytes": received / MEGABYTE,
            "system/network_transmit_megabytes": sent / MEGABYTE,
        }
