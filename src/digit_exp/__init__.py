"""Configuration-driven experiments on a neural network written from scratch in NumPy."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """Look up the version only when it is asked for, which takes some milliseconds."""
    if name == "__version__":
        from digit_exp.version import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
