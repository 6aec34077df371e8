"""What a sweep gathers of its jobs is what networks are compared by."""

import shutil

from digit_exp.analysis.predictions import read_predictions
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.sweeps.collect import results_of
from tiny_runs import run

JOB = "0123456789abcdef"
"""A folder as a sweep names those of its jobs."""


def test_jobs_are_compared_by_their_predictions_for_the_validation_images(tmp_path):
    (tmp_path / JOB).mkdir()
    experiment, result = run(tmp_path / JOB)
    RunRecord(None, "FINISHED", summary=result.summary).write(tmp_path / JOB)
    (job,) = results_of(None, tmp_path)
    found = read_predictions(job.predictions())
    val = experiment.val
    assert len(val) == 40
    assert found.labels.tolist() == val.labels.tolist()
    assert found.predicted.tolist() == experiment.network.predict(val.images[val.rows]).tolist()


def test_a_run_of_an_earlier_version_has_no_validation_predictions(tmp_path):
    (tmp_path / JOB).mkdir()
    _, result = run(tmp_path / JOB)
    RunRecord(None, "FINISHED", summary=result.summary).write(tmp_path / JOB)
    (tmp_path / JOB / paths.VAL_PREDICTIONS).unlink()
    (job,) = results_of(None, tmp_path)
    assert job.predictions() is None


def test_jobs_are_numbered_in_the_order_in_which_they_began(tmp_path):
    run(tmp_path)
    config = tmp_path / paths.CONFIG
    for started, name in enumerate(("f" * 16, "0" * 16, "a" * 16)):
        place = tmp_path / "sweep" / name
        place.mkdir(parents=True)
        shutil.copy(config, place)
        RunRecord(name, "FINISHED", started=f"2026-01-0{started + 1}").write(place)
    found = results_of(None, tmp_path / "sweep")
    assert [(job.number, job.run_id[0]) for job in found] == [(0, "f"), (1, "0"), (2, "a")]
