"""The conclusion of a sweep in sentences, and the method behind it."""

from collections.abc import Iterator, Sequence

from digit_exp.analysis.job_result import DROPPED
from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.significance import MCNEMAR, PAIRED_T, Outcome

SUBJECTS = {
    PAIRED_T: ("It", "any other configuration"),
    MCNEMAR: (
        "With one seed, only networks are compared. This network",
        "the network of any other",
    ),
}
"""For each test: the subject of a sentence, and the words for all other configurations."""

MOST_NAMED = 8
"""Configurations that a sentence lists one by one."""


def conclusion(ranking: Ranking) -> str:
    """Say in a sentence or two what is shown about the winner."""
    if ranking.winner is None:
        return "No job has a result, so there is no winner."
    others = ranking.with_numbers[1:]
    if not others:
        return "It is the only configuration with a result."
    sentences = [line for test in SUBJECTS for line in _shown(ranking, test, len(others))]
    if not any(place.comparison for place in others):
        reasons = dict.fromkeys(place.not_compared for place in others if place.not_compared)
        sentences.append(
            f"It is not compared with the others ({', '.join(reasons)}): that takes two common"
            " seeds, or the validation predictions of both."
        )
    return " ".join(sentences)


def _shown(ranking: Ranking, test: str, others: int) -> Iterator[str]:
    subject, anyone = SUBJECTS[test]
    if worse := _ranks(ranking, test, "worse"):
        which = anyone if len(worse) == others else f"{len(worse)} of {others} others"
        yield f"{subject} is shown to be better than {which}."
    if same := _ranks(ranking, test, "no difference shown"):
        which = anyone if len(same) == others else _list(same)
        yield f"No difference shown from {which}: its rank may be due to chance."
    if better := _ranks(ranking, test, "better"):
        yield f"In the test, {_list(better)} came out better."


def method(ranking: Ranking) -> list[str]:
    """Return how the numbers were computed, and their limits."""
    made = {place.comparison.test for place in ranking.places if place.comparison}
    goal = ranking.objective
    lines = [
        f"The winner has the {'highest' if goal.is_share else 'lowest'} mean {goal.label}. As the"
        " best of many, that mean is optimistically biased; the test set had no part in the"
        " choice. Jobs that differ in their seed only are replicates: mean, standard deviation"
        " (n − 1) and 95 % interval (Student's, on"
        " the logit scale of an accuracy and the log scale of a loss) are over the seeds.",
    ]
    if PAIRED_T in made:
        lines.append(
            f"The {PAIRED_T} compares the winner with each other configuration on the seeds that"
            " both finished."
        )
    if MCNEMAR in made:
        lines.append(
            f"{MCNEMAR} is used where there is one common seed: it asks whether the validation"
            " images that only one of the two classifies correctly are split evenly. It compares"
            " the networks with which training ended, and says nothing about other seeds."
        )
    if made:
        lines += [
            "The p-values are two-sided and corrected by Holm's method. All pairs of"
            " configurations count, since the winner was chosen by the same scores: the chance of"
            " even one false claim is at most 5 %.",
            "No difference shown is not the same as no difference: few seeds show large"
            " differences only.",
        ]
    if any(job.status == DROPPED for job in ranking.results):
        lines.append(
            "A dropped job was not run: after its first seeds its configuration was significantly"
            " worse than the best, in a one-sided paired test on the same seeds. The best of"
            " equally good ones is dropped in at most 3 % of races. A dropped one is ranked after"
            " those with all seeds."
        )
    lines.append(
        "A job that diverged puts its configuration behind all others. A pruned job counts with"
        " what it had reached, and in no test. A failed or killed job counts for nothing."
    )
    return lines


def _ranks(ranking: Ranking, test: str, outcome: Outcome) -> list[int]:
    return [
        rank
        for rank, place in enumerate(ranking.places, 1)
        if place.comparison
        and place.comparison.test == test
        and place.comparison.outcome == outcome
    ]


def _list(ranks: Sequence[int]) -> str:
    if len(ranks) > MOST_NAMED:
        return f"{len(ranks)} of them"
    names = [f"#{rank}" for rank in ranks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
