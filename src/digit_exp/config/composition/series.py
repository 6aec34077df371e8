"""What Hydra's series 1.3 and 1.4 ask for differently."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import hydra
from hydra import utils, version

CALLED_BY_HYDRA = ("digit_exp.*", "hydra_plugins.*", "hydra.*", "logging.*", "sys.*")
"""What the configuration of a launcher, a sweeper or a log may name as a class to be called."""


def use_current_behaviour() -> None:
    """Choose the behaviour of 1.3; later series have no other and deprecate the choice."""
    if hydra.__version__.startswith("1.3."):
        version.setbase("1.3")


def limited_calls() -> AbstractContextManager[Any]:
    """Return a context in which 1.4 calls nothing but CALLED_BY_HYDRA; 1.3 has no such list."""
    limit = getattr(utils, "execution_whitelist", None)
    return nullcontext() if limit is None else limit([*CALLED_BY_HYDRA])
