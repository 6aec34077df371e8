"""One run, from start to end: data, network, training, files, resuming.

Knows nothing of sweeps: it gets a configuration and a folder. `digit_exp.runs()` is the public
function of the same name: the table of all runs.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _CallablePackage(ModuleType):
    def __call__(self, uri: str | None = None) -> pd.DataFrame:
        from digit_exp.runs.saved.views.listing import table

        return table(uri)


sys.modules[__name__].__class__ = _CallablePackage
