"""All checks, in the order in which they are made."""

from collections.abc import Callable, Iterator
from functools import partial

from digit_exp.doctor import installation, machine, storage
from digit_exp.doctor.check import Check, error

CHECKS: dict[str, Callable[[], Check]] = {
    "digit-exp": installation.program,
    "packages": installation.packages,
    "configuration": installation.configuration,
    "package data": installation.package_data,
    "cores": machine.cores,
    "BLAS": machine.blas,
    "kernels": machine.kernels,
    "terminal": machine.terminal,
    "figures": machine.figures,
    "git": machine.git,
    "folder": storage.folder,
    "runs": storage.runs,
    "disk": storage.disk,
    "data cache": storage.data_cache,
}


def examine(uri: str | None) -> Iterator[tuple[str, Check]]:
    """Make every check, each when it is asked for, and yield its name and what it found.

    `uri` is the address of the store.
    """
    checks = CHECKS | {"store": partial(storage.store, uri)}
    for name, check in checks.items():
        try:
            yield name, check()
        except Exception as failure:  # a broken installation can raise anything: that is a finding
            found = f"{type(failure).__name__}: {failure}"
            advice = "install again: pip install --force-reinstall digit-exp"
            yield name, error(found, advice)
