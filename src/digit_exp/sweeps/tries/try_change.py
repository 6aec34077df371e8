"""A gate for changes: train change and baseline on the same seeds until a test decides.

The runs are jobs of a sweep of their own, so that the same command goes on after a kill. A finished
run of the same configuration, data and code, wherever it is below `outputs/`, is not trained again.
The test set has no part in it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.sequential import Decision, SequentialTest
from digit_exp.config.overrides import override
from digit_exp.config.plan import plan
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.config.serialize import differences, flatten, resolved
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs.experiment import load_data, train_val_splits
from digit_exp.runs.folder import mark_dead_runs
from digit_exp.runs.results.summary import run_name
from digit_exp.runs.reuse.found_run import RunError
from digit_exp.runs.reuse.lookup import OUTPUTS, Runs
from digit_exp.runs.signals import Interruption
from digit_exp.sweeps.context import SweepContext
from digit_exp.sweeps.identity import finished_run
from digit_exp.sweeps.launch import FOLDER
from digit_exp.sweeps.trial import SweepJob
from digit_exp.sweeps.tries.verdicts import Pair, Verdict, record
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.sweep_runs import Sweep, open_sweep

DEFAULTS = "defaults"
OBJECTIVE = Objective()
SECONDS = "training_seconds"
BOTH = ("tracking", "run_name", "seed")
"""Keys that hold for both sides, whoever says them."""


@dataclass(frozen=True)
class Comparison:
    """What is compared: the two sides, with the seed of the first pair."""

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
            message = "is no change: another seed is another draw of the same; change something"
            return [Problem("seed", message)]
        message = f"there is nothing to compare: {' '.join(found.words)} comes to the same"
        return [Problem("", f"{message} configuration as the baseline, {found.against}")]
    if not found.baseline.data.val_ratio:
        return [Problem("data.val_ratio", "is 0, but runs are compared on validation images")]
    return [
        Problem(key, "must be the same on both sides: they are compared on the same images")
        for key in differing
        if key.partition(".")[0] == "data" and key not in ("data.train_size", "data.normalize")
    ]


def try_change(
    found: Comparison,
    *,
    max_pairs: int = 8,
    indifference: float = 0.2,
    alpha: float = 0.05,
    report: Callable[[str], object] = print,
) -> Verdict:
    """Train pair by pair until the test decides, or `max_pairs`; keep and return the verdict.

    `indifference` is in percentage points. The same call goes on with what is there. Raises
    JobFailed if a run fails, and RunError if the baseline does not train.
    """
    _require(max_pairs, indifference, alpha)
    test = SequentialTest(alpha, indifference / 100, 1 / _validation_images(found.baseline))
    mark_dead_runs(OUTPUTS)
    with _opened(found, max_pairs) as runner, _run_logs():
        pairs: list[Pair] = []
        verdict = _verdict(found, pairs, test, runner)
        while verdict.verdict == "undecided" and len(pairs) < max_pairs:
            pairs.append(_pair(found, len(pairs), runner))
            verdict = _verdict(found, pairs, test, runner)
            report(_line(pairs, verdict))
        record(verdict)
        runner.publish(verdict.text())
    return verdict


def _require(max_pairs: int, indifference: float, alpha: float) -> None:
    problems = []
    if max_pairs < 1:
        problems.append(Problem("--max-pairs", f"must be at least 1, got {max_pairs}"))
    if not 0 <= indifference <= 100:
        problems.append(
            Problem("--indifference", f"must be 0 to 100 percentage points, got {indifference}")
        )
    if not 0 < alpha < 1:
        problems.append(Problem("--alpha", f"must be between 0 and 1, got {alpha}"))
    if problems:
        raise ConfigError(*problems)


class Runner:
    """Brings the runs of a comparison to their ends, one after the other."""

    def __init__(self, context: SweepContext, sweep: Sweep | None) -> None:
        self.context = context
        self.sweep = sweep
        self.seconds = 0.0

    def score(self, config: RunConfig, number: int) -> float | None:
        """Return the best validation accuracy of a run, None if it diverged."""
        summary = finished_run(config, load_data(config.data).digest, OUTPUTS, OBJECTIVE.metric)
        if summary is None:
            name = run_name(config, self.context.varied)
            with Interruption() as interruption:
                job = SweepJob(config, self.context, number, name, self.sweep)
                outcome = job.finish(interruption)
            if outcome.word.startswith("is running"):
                raise RunError(f"the run {name} {outcome.word}: wait for it or stop it")
            summary = outcome.summary
        self.seconds += summary.get(SECONDS, 0.0)
        value = summary.get(OBJECTIVE.metric, math.nan)
        return value if math.isfinite(value) else None

    def publish(self, text: str) -> None:
        """Show the verdict on the page in MLflow."""
        if self.sweep is not None:
            self.sweep.publish({}, text)


@contextmanager
def _opened(found: Comparison, max_pairs: int) -> Iterator[Runner]:
    name, settings = found.name, found.baseline.tracking
    sweep = None
    if settings.backend is not Backend.none:
        sweep = open_sweep(name, uri=settings.uri, experiment=settings.experiment)
        sweep.mark_dead()
    one, other = flatten(found.baseline), flatten(found.change)
    context = SweepContext(
        name=name,
        command=uuid.uuid4().hex[:12],
        folder=str((FOLDER / name).absolute()),
        jobs=2 * max_pairs,
        varied=[*(key for key in {**one, **other} if one.get(key) != other.get(key)), "seed"],
        parent_id=None if sweep is None else sweep.parent_id,
        rerun=False,
        fail_fast=False,
        is_search=False,
        objective=OBJECTIVE.metric,
    )
    status = Status.KILLED
    try:
        yield Runner(context, sweep)
        status = Status.FINISHED
    finally:
        if sweep is not None:
            sweep.end(status)


@contextmanager
def _run_logs() -> Iterator[None]:
    """Let each run write to its log what the command itself does not print."""
    logger = logging.getLogger("digit_exp")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)


def _pair(found: Comparison, place: int, runner: Runner) -> Pair:
    baseline, change = found.sides(place)
    score = runner.score(baseline, 2 * place)
    if score is None:
        message = f"the baseline diverged with seed {baseline.seed}: it measures no change"
        raise RunError(f"{message}. Choose another one: --against RUN")
    return Pair(baseline.seed, score, runner.score(change, 2 * place + 1))


def _verdict(
    found: Comparison, pairs: Sequence[Pair], test: SequentialTest, runner: Runner
) -> Verdict:
    """Return what may be said after these pairs."""
    decision: Decision = "undecided"
    effect, low, high, remark = None, math.nan, math.nan, None
    if pairs:
        differences = [pair.difference for pair in pairs]
        effect = fmean(differences)
        low, high = (float(end) for end in test.interval(differences))
        decision = test.decide(differences)
    if pairs and pairs[-1].change is None:
        decision, effect, low = "worse", None, math.nan
        remark = f"it diverged with seed {pairs[-1].seed}, and the baseline did not"
    return Verdict(
        name=found.name,
        verdict=decision,
        change=list(found.words),
        against=found.against,
        effect=effect,
        interval=(low, high) if math.isfinite(low) else (None, None),
        pairs=list(pairs),
        alpha=test.alpha,
        indifference=test.indifference,
        seconds=runner.seconds,
        decided=datetime.now(UTC).isoformat(timespec="seconds"),
        remark=remark,
    )


def _line(pairs: Sequence[Pair], verdict: Verdict) -> str:
    pair = pairs[-1]
    scores = [
        "diverged" if score is None else OBJECTIVE.text(score)
        for score in (pair.baseline, pair.change)
    ]
    return f"pair {len(pairs)}, seed {pair.seed}: {' → '.join(scores)}; so far {verdict.text()}"


def _of_run(text: str, words: Sequence[str], uri: str | None) -> tuple[Mapping[str, Any], int]:
    """Return what a run chose otherwise than by default, and the first seed to compare with.

    Its own seed is left out: the run may have been chosen because that was a lucky one.
    """
    if any(_key(word) == "experiment" for word in words):
        message = f"cannot be tried against {text}: its values and the preset's would be mixed"
        raise ConfigError(Problem("experiment", f"{message}. Write the values that change"))
    config = Runs.of_folder(uri=uri).find(text).run_config()
    changed = {key: value for key, (_, value) in differences(config).items()}
    known = {key: value for key, value in changed.items() if key.partition(".")[0] not in BOTH}
    return known, config.seed + 1


def _single(words: Sequence[str]) -> RunConfig:
    planned = plan(words)
    if planned.is_sweep or planned.launch["resume"] is not None:
        key = "sweep" if planned.is_sweep else "resume"
        raise ConfigError(Problem(key, "cannot be tried: a change is one configuration"))
    return planned.jobs[0]


def _words(values: Mapping[str, Any]) -> list[str]:
    return [override(key, value) for key, value in values.items()]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _validation_images(config: RunConfig) -> int:
    return len(train_val_splits(config, load_data(config.data))[1])
