"""Which matplotlib draws, tried out. No window system is needed or asked."""

from __future__ import annotations

import io
import os

import matplotlib

from digit_exp.plots.canvas import message


def drawn_with() -> str:
    """Draw a small figure and return with what that was done."""
    message("title", "note").savefig(io.BytesIO(), format="png")
    chosen = os.environ.get("MPLBACKEND")
    backend = f"; MPLBACKEND={chosen} has no effect" if chosen else ""
    return f"matplotlib {matplotlib.__version__} draws PNG without a window{backend}"
