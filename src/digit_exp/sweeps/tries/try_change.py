"""Train a change and its baseline on the same seeds until a sequential test decides.

The runs are jobs of a sweep of their own, so that the same command continues after a kill. A
finished run of the same configuration, data and code below `outputs/` is not trained again. The
test set has no part in it.
"""

import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import fmean

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.sequential import Decision, SequentialTest
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import flatten
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs.experiment import load_data, train_val_splits
from digit_exp.runs.folder import mark_dead_runs
from digit_exp.runs.log_file import info_level
from digit_exp.runs.results.summary import run_name
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import OUTPUTS
from digit_exp.runs.signals import Interruption
from digit_exp.sweeps.identity import finished_run
from digit_exp.sweeps.launch import FOLDER, opened
from digit_exp.sweeps.run_job import SweepJob
from digit_exp.sweeps.tries.comparison import Comparison
from digit_exp.sweeps.tries.verdicts import Pair, Verdict, record
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.sweep_runs import Sweep

OBJECTIVE = Objective()
SECONDS = "training_seconds"


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
    baseline = found.baseline
    images = len(train_val_splits(baseline, load_data(baseline.data))[1])  # for validation
    test = SequentialTest(alpha, indifference / 100, 1 / images)
    mark_dead_runs(OUTPUTS)
    with _opened(found, max_pairs) as runner, info_level():
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
    """Runs the jobs of a comparison one after the other; reuses those that are done."""

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
    name = found.name
    sweep = opened(found.baseline, name)
    one, other = flatten(found.baseline), flatten(found.change)
    context = SweepContext(
        name=name,
        command=uuid.uuid4().hex[:12],
        folder=str((FOLDER / name).absolute()),
        jobs=2 * max_pairs,
        varied=[*(key for key in {**one, **other} if one.get(key) != other.get(key)), "seed"],
        objective=OBJECTIVE.metric,
        parent_id=None if sweep is None else sweep.parent_id,
    )
    status = Status.KILLED
    try:
        yield Runner(context, sweep)
        status = Status.FINISHED
    finally:
        if sweep is not None:
            sweep.end(status)


def _pair(found: Comparison, place: int, runner: Runner) -> Pair:
    baseline, change = found.sides(place)
    score = runner.score(baseline, 2 * place)
    if score is None:
        message = f"the baseline diverged with seed {baseline.seed}: it cannot be compared"
        raise RunError(f"{message}. Choose another one: --against RUN")
    return Pair(baseline.seed, score, runner.score(change, 2 * place + 1))


def _verdict(
    found: Comparison, pairs: Sequence[Pair], test: SequentialTest, runner: Runner
) -> Verdict:
    decision: Decision = "undecided"
    effect, low, high, remark = None, math.nan, math.nan, None
    if pairs:
        differences = [pair.difference for pair in pairs]
        effect = fmean(differences)
        low, high = (float(end) for end in test.interval(differences))
        decision = test.decide(differences)
    if pairs and pairs[-1].change is None:
        decision, effect, low = "worse", None, math.nan
        remark = f"it diverged with seed {pairs[-1].seed}; the baseline did not"
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
