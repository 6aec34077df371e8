"""Values that were changed and that the chosen model does not read."""

from collections.abc import Iterable, Iterator

from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import differences
from digit_exp.nn.models import MODELS, LearnerModel
from digit_exp.registry import Problem

OF_NETWORKS = (
    "optimizer",
    "schedule",
    "regularization",
    "trainer.ema",
    "trainer.ema_share",
    "data.normalize",
)
"""What a model of another library has of its own, under its own names."""


def unread(config: RunConfig, keys: Iterable[str] | None = None) -> Iterator[Problem]:
    """Yield what is set in vain, of `keys` or else of all that differs from the defaults.

    A model of another library trains itself.
    """
    if isinstance(config.model, LearnerModel):
        name = MODELS.name_of(config.model)
        for key in differences(config) if keys is None else keys:
            if key.startswith(OF_NETWORKS):
                message = f"model={name} trains itself and does not read it; leave it out"
                yield Problem(key, f"{message}, or use a field of model")
