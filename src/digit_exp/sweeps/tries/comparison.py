"""The two sides of a try: the configuration of a change, and of its baseline."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from digit_exp.config.compose import compose
from digit_exp.config.overrides import override
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import differences, flatten, resolved
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.start_from import pin_plan, seen_images

DEFAULTS = "defaults"
BOTH = ("tracking", "run_name", "seed")
"""Keys that always apply to both sides."""


@dataclass(frozen=True)
class Comparison:
    """The two configurations that are compared, with the seed of the first pair."""

    change: RunConfig
    baseline: RunConfig
    words: Sequence[str]
    against: str

    def seed(self, place: int) -> int:
        """Return the seed of a pair."""
        return self.baseline.seed + place

    def sides(self, place: int) -> tuple[RunConfig, RunConfig]:
        """Return baseline and change with the seed of a pair."""
        seed = self.seed(place)
        return replace(self.baseline, seed=seed), replace(self.change, seed=seed)

    @property
    def name(self) -> str:
        """A name that the same comparison has again."""
        values = [resolved(side) for side in (self.baseline, self.change)]
        for each in values:
            del each["tracking"]
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:6]
        words = re.sub(r"[^\w.=,-]+", "", "-".join(self.words))[:60]
        return f"try-{words}-{digest}"


def comparison(
    words: Sequence[str],
    *,
    against: str = DEFAULTS,
    both: Sequence[str] = (),
    uri: str | None = None,
) -> Comparison:
    """Return the two sides; raise ConfigError if they cannot be compared or do not differ."""
    known, first = _of_run(against, words, uri) if against != DEFAULTS else ({}, None)
    own = {_key(word) for word in words}
    kept = {key: value for key, value in known.items() if key.partition(".")[0] not in own}
    seed = [] if first is None else [override("seed", first)]
    shared = [word for word in words if _key(word).partition(".")[0] in BOTH]
    baseline = _single([*_words(known), *seed, *both, *shared])
    change = _single([*_words(kept), *seed, *both, *words])
    change = replace(change, run_name=None)
    if change.start_from is not None and not {"data", "data.split_seed"} & own:
        baseline = replace(baseline, data=replace(baseline.data, split_seed=change.data.split_seed))
    found = Comparison(change, replace(baseline, run_name=None), words, against)
    problems = _problems(found, own)
    if problems:
        raise ConfigError(*problems)
    return found


def _problems(found: Comparison, said: set[str]) -> list[Problem]:
    one, other = flatten(found.baseline), flatten(found.change)
    differing = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if not differing:
        if said <= {"seed"}:
            message = "is not a change: the same configuration is trained; change another key"
            return [Problem("seed", message)]
        message = f"there is nothing to compare: {' '.join(found.words)} gives the same"
        return [Problem("", f"{message} configuration as the baseline, {found.against}")]
    if not found.baseline.data.val_ratio:
        return [Problem("data.val_ratio", "is 0, but runs are compared on validation images")]
    if (seen := seen_images(found.change)) is not None:
        return [Problem("start_from", f"would look better than it is: {seen}")]
    return [
        Problem(key, "must be the same on both sides: they are compared on the same images")
        for key in differing
        if key.partition(".")[0] == "data" and key not in ("data.train_size", "data.normalize")
    ]


def _of_run(text: str, words: Sequence[str], uri: str | None) -> tuple[Mapping[str, Any], int]:
    """Return what a run chose otherwise than by default, and the first seed to compare with.

    Its own seed is left out: the run may have been chosen because of its result with that seed.
    """
    if any(_key(word) == "experiment" for word in words):
        message = f"cannot be tried against {text}: its values and the preset's would be mixed"
        raise ConfigError.at("experiment", f"{message}. Write the values that change")
    config = Runs.of_folder(uri=uri).find(text).run_config()
    changed = {key: value for key, (_, value) in differences(config).items()}
    known = {key: value for key, value in changed.items() if key.partition(".")[0] not in BOTH}
    return known, config.seed + 1


def _single(words: Sequence[str]) -> RunConfig:
    planned = pin_plan(compose(words))
    if planned.is_sweep or planned.launch["resume"] is not None:
        key = "sweep" if planned.is_sweep else "resume"
        raise ConfigError.at(key, "cannot be tried: a change is one configuration")
    return planned.jobs[0]


def _words(values: Mapping[str, Any]) -> list[str]:
    return [override(key, value) for key, value in values.items()]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
