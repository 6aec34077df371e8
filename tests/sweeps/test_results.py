"""What a sweep gathers of its jobs is what networks are compared by."""

from digit_exp.analysis.predictions import read_predictions
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.sweeps.results import results_of
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
