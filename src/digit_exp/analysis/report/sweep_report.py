"""The report of a sweep: a page that stands alone, the same in Markdown, the winner's preset."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.ranking import Place, Ranking
from digit_exp.analysis.replicates import Config
from digit_exp.analysis.report.findings import conclusion
from digit_exp.analysis.report.render import Page, write
from digit_exp.analysis.report.rerun import PROGRAM, command, preset
from digit_exp.analysis.report.section import Results
from digit_exp.analysis.report.sections import sections
from digit_exp.analysis.report.tables import UNFINISHED
from digit_exp.analysis.statistics import Summary
from digit_exp.atomic import write_text
from digit_exp.plots.parts.values import text

PRESET = Path("experiment") / "best.yaml"
"""Where Hydra looks for `experiment=best`, below the folder given as `--config-dir`."""


class Fact(NamedTuple):
    """A number with its title and notes."""

    title: str
    value: str
    notes: Sequence[str]


def write_report(
    ranking: Ranking,
    folder: Path,
    *,
    name: str,
    shorten: Callable[[Config], Config] = dict,
) -> list[Path]:
    """Write `report.html`, `report.md`, the figures and the winner's preset; return the files.

    `shorten` returns the part of a job's configuration that is not default anyway: the words of
    the command that runs the winner again. Without it they are all there.
    """
    best = _best(ranking, folder, name, shorten)
    page = Page(
        name, _summary(ranking), list(sections(Results(ranking))), conclusion(ranking), best
    )
    files = write(page, folder, "report", ("html", "md"))
    if best is not None:
        files.append(write_text(folder / PRESET, best["preset"]))
    return files


def _best(
    ranking: Ranking, folder: Path, name: str, shorten: Callable[[Config], Config]
) -> dict[str, Any] | None:
    """Return the winner for the templates: its configuration, how to run its best replicate."""
    place = ranking.winner
    job = place.group.best(ranking.objective) if place else None
    if place is None or job is None:
        return None
    facts = list(_facts(place, ranking.objective))
    best_of = ", with the seed of its best replicate" if len(place.group.results) > 1 else ""
    chosen = facts[0]
    comment = f"The winner of the sweep {name}:\n{chosen.title} {chosen.value}, {chosen.notes[0]}"
    return {
        "parameters": [f"{key}={text(value)}" for key, value in place.group.parameters.items()],
        "facts": facts,
        "instruction": f"Run it again{best_of}:",
        "command": command(shorten(job.config)),
        "preset_command": (
            f"{PROGRAM} --config-dir {shlex.quote(str(folder))} experiment={PRESET.stem}"
        ),
        "preset": preset(job.config, comment),
    }


def _facts(place: Place, objective: Objective) -> Iterator[Fact]:
    """Yield what is known of the winner: the number that chose it, and its test accuracy."""
    summary = place.summary
    seeds = f"mean of {summary.n} seeds" if summary.n > 1 else "one seed"
    notes = [seeds, *_interval(summary, objective)]
    yield Fact(objective.label, objective.text(summary.mean), notes)
    seen = Objective("test_acc")
    if (test := place.group.summary(seen.metric)) and objective != seen:
        notes = ["had no part in the choice", *_interval(test, seen)]
        yield Fact(seen.label, seen.text(test.mean), notes)
    if seconds := place.group.only("FINISHED").summary("training_seconds"):
        yield Fact(
            "training time",
            duration(seconds.mean),
            [f"mean of {seconds.n} runs" if seconds.n > 1 else "one run"],
        )


def _interval(summary: Summary, objective: Objective) -> list[str]:
    return [f"95 % interval {objective.interval(summary)}"] if summary.n > 1 else []


def _summary(ranking: Ranking) -> str:
    jobs = ranking.results
    ended = {
        status: sum(job.status == status for job in jobs) for status in ("FINISHED", *UNFINISHED)
    }
    words = [f"{count} {status.lower()}" for status, count in ended.items() if count]
    seconds = sum(job.metrics.get("training_seconds", 0.0) for job in jobs)
    parts = [
        f"{_plural(len(jobs), 'job')} ({', '.join(words)})",
        _plural(len(ranking.places), "configuration"),
        f"varied: {', '.join(ranking.parameters) or 'nothing but the seed'}",
        f"{duration(seconds)} of training",
    ]
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Write a time for a person.

    >>> duration(4.27), duration(192), duration(5534)
    ('4.3 s', '3 min 12 s', '1 h 32 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
