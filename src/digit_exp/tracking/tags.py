"""The names of the tags that programs give a run, in `run.json` and in MLflow."""

from __future__ import annotations


class Tag:
    """Names of tags. Those that begin with `mlflow.` are MLflow's own."""

    KIND = "digit_exp.kind"
    """`trial`; `sweep` of the parent of one; `superseded` if the configuration was run anew."""
    SWEEP = "digit_exp.sweep"
    JOB = "digit_exp.job"
    CONFIG_HASH = "digit_exp.config_hash"
    OBJECTIVE = "digit_exp.objective"
    RACE = "digit_exp.race"
    WINNER = "winner"
    """Of the parent of a sweep: the name of the winner."""
    PARENT = "mlflow.parentRunId"

    STOP_REASON = "digit_exp.stop_reason"
    """Why training ended before the last epoch."""
    ERROR = "digit_exp.error"
    """Why a run has FAILED; the whole traceback is in a file."""
    FITTED_EPOCHS = "fitted_epochs"
    """Of a run with `trainer.fit_minutes`: how many epochs were found to fit."""

    DATA = "data.name"
    DATA_DIGEST = "data.digest"
    """On which data set a run was trained and tested."""
    CLASSES = "data.classes"
    """The names of the classes, as JSON, if they have names."""
    SOURCE_DIGEST = "source.digest"
    """Of the package's files, which git need not know."""
    OWN_DIGEST = "own.digest"
    """Of the files of one's own classes."""
    COMMIT = "mlflow.source.git.commit"

    START_FROM = "digit_exp.start_from"
    START_DIGEST = "digit_exp.start_digest"
    """Of a run that began with the weights of another one: which run, and their digest."""
    ORIGIN = "digit_exp.origin"
    ORIGIN_EPOCHS = "digit_exp.origin_epochs"
    """Of a longer run: the run that it goes on from, and how many epochs that had."""
    REPRODUCES = "digit_exp.reproduces"
    COMMITTEE = "digit_exp.committee"
    """The members of a committee, as JSON."""
    IMPORTED = "imported.from"
    """Of a run that was imported: its id where it was made, or an empty text without one."""
    ARCHIVE = "imported.sha256"
    """The digest of the archive that it was imported from."""
    COPY_OF = "digit_exp.copy_of"
    """By which the copy of a run is found in another store."""

    NOTE = "mlflow.note.content"
    """What MLflow shows as the description on a run's page."""

    PID, HOST, SINCE = "digit_exp.pid", "digit_exp.host", "digit_exp.since"
    """Which process works on a run, or did last: see `ownership`."""
    HEARTBEAT = "digit_exp.heartbeat"
