"""The page of MLflow that shows all runs, a sweep, or one run."""

from collections.abc import Sequence

from digit_exp.analysis.objective import Objective
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import BEST, LATEST, Runs, job_result
from digit_exp.tracking.mlflow.links import run_page
from digit_exp.tracking.mlflow.saved_view import SavedView, comparison_page
from digit_exp.tracking.tags import Tag

COLUMNS = ("test_acc", "best_epoch", "training_seconds")
"""Metrics shown next to the objective."""

MAX_PARAMETERS = 12
"""The most parameter columns in a table of all runs."""


def page_of(runs: Runs, text: str | None) -> str:
    """Return the address, from `/#` on, of what `text` names; without `text`, of all runs.

    A single run has nothing to be compared with, so its own page is returned.
    Raises RunError if there is no such run, or if it is not in the store.
    """
    if text is None:
        latest = next((run for run in runs.all if run.trial is not None), None)
        if latest is None or latest.trial is None:
            raise RunError("no run is tracked here. Start one with: python -m digit_exp")
        home = latest.trial.experiment_id
        tracked = [r for r in runs.all if r.trial and r.trial.experiment_id == home]
        if len(tracked) == 1:
            return run_page(home, latest.trial.run_id)
        return _comparison(tracked, None)
    found = runs.all_matching(text)
    if len(found) == 1 and (text in (LATEST, BEST) or found[0].sweep != text):
        run = found[0]
        if run.run_id is not None and run.trial is None:  # by its folder
            run = runs.find(run.run_id)
        if run.trial is None:
            raise RunError(
                f"the run {run.label} is not in the store; its files are in {run.folder}"
            )
        return run_page(run.trial.experiment_id, run.trial.run_id)
    if any(run.trial is None for run in found):
        raise RunError(f"the sweep {text} is not in the store; its report is in its folder")
    return _comparison(found, found[0].sweep)


def _comparison(found: Sequence[FoundRun], sweep: str | None) -> str:
    """Return a page that compares runs of one experiment: what varies, the best first."""
    from digit_exp.analysis.replicates import varied  # SciPy

    store, trial = found[0].store, found[0].trial
    if store is None or trial is None:
        raise RunError("these runs are not in the store")
    objective = Objective(
        found[0].tags.get(Tag.OBJECTIVE, Objective().metric) if sweep else "best_val_acc"
    )
    found = [run for run in found if run.has_config]  # else it was killed in its first second
    keys = varied([job_result(run, number) for number, run in enumerate(found)])
    seeds = {str(run.config.get("seed")) for run in found}
    asked = SavedView(
        sweep,
        [*keys[:MAX_PARAMETERS], *(["seed"] if len(seeds) > 1 else [])],
        COLUMNS,
        objective=objective.metric,
        ascending=not objective.is_share,
    )
    return comparison_page(store.client, trial.experiment_id, asked)
