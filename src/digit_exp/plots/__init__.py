"""Figures of a run: arrays and history in, `matplotlib.figure.Figure` out. Nothing else draws."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def _import_matplotlib() -> None:
    """Import matplotlib, if need be without the environment's backend and settings.

    It refuses to be imported with a backend that it does not know, which a notebook hands down to
    its processes, or with a `matplotlibrc` that cannot be decoded.
    """
    try:
        import_module("matplotlib")
    except ValueError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        spec = find_spec("matplotlib")
        if spec is None or spec.origin is None:
            raise
        backend = os.environ.pop("MPLBACKEND", None)
        try:
            # the file in the current folder comes first: here, that is matplotlib's own
            with contextlib.chdir(Path(spec.origin).parent / "mpl-data"):
                import_module("matplotlib")
        finally:
            if backend is not None:
                os.environ["MPLBACKEND"] = backend


logging.getLogger("matplotlib").setLevel(logging.WARNING)  # not that it made its list of fonts
_import_matplotlib()
