"""`import FILE.zip`: makes a run of another place one of this place.

The copy may say where it is itself: the folder of its data, the address of its store.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digit_exp.atomic import write_text
from digit_exp.config.serialize import as_yaml, read_yaml
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import RecordError, RunRecord, relative_to_cwd
from digit_exp.runs.saved.found_run import FoundRun, RunError, in_folder
from digit_exp.runs.saved.handover.archive import digest, extract
from digit_exp.runs.saved.lookup import OUTPUTS, Runs
from digit_exp.runs.saved.manage.sync import Synced, sync
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import load_checkpoint, save_checkpoint

FOLDER = OUTPUTS / "imported"
KEPT = (
    Tag.STOP_REASON,
    Tag.ERROR,
    Tag.ORIGIN,
    Tag.ORIGIN_EPOCHS,
    Tag.NOTE,
    "digit_exp.start_",
    "mlflow.source.git.",
)
"""Tags for programs that hold in every place; a sweep and an owner are those of another one."""
PICTURE = "get-artifact?"
"""In a note, the address of a picture that the store of another place has."""

PLACES = ("data.dir", "data.train", "data.test")
"""Keys that say where the data are. Which data they must be, their digest says."""

Changes = Mapping[str, Mapping[str, object]]
"""New values, by group and key."""


def import_run(
    file: Path, *, name: str | None = None, uri: str | None = None, changes: Changes | None = None
) -> tuple[FoundRun, Synced | None]:
    """Make the run of an archive one of this folder, and of the store if it is there.

    `name` is what it is to be called here, `changes` says where its data are. Returns the run, and
    what the store has got, None without one. Raises RunError if the archive is not whole or the
    run is here already; nothing is left of it then.
    """
    called = None if name is None else _folder_name(name)
    store, known = locate(uri, Path.cwd()), Runs.of_folder(uri=uri).all
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".import-", dir=FOLDER) as work:
        folder = Path(work) / "run"
        found = unpack(file, folder, changes)
        _refuse_known(known, found)
        target = FOLDER / (called or (found.run_id or digest(file))[:12])
        if target.exists():
            raise RunError(f"{target} exists already; choose another name: --as NAME")
        _settle(folder, file, name)
        if uri is not None:
            rewrite(folder, {"tracking": {"uri": uri}})
        folder.rename(target)
    is_there = store.database is None or store.database.exists()
    synced = sync(target) if is_there else None
    return in_folder(target, RunRecord.read(target)), synced


def unpack(file: Path, folder: Path, changes: Changes | None = None) -> FoundRun:
    """Extract an archive into a new folder and return its run, once all of it can be read."""
    folder.mkdir()
    extract(file, folder)
    rewrite(folder, changes or {})
    try:
        record = RunRecord.read(folder)
    except RecordError as error:
        raise RunError(f"{file} has no record of a run: {error}") from error
    if record.status not in list(Status) or not (record.name or "run").isprintable():
        raise RunError(f"{file} has no record of a run: its status or name is not one")
    if not _is_dataset(record.dataset):
        raise RunError(f"{file} has no record of a run: its data set is not one")
    for checkpoint in (folder / paths.LAST_CHECKPOINT.parent).glob("*.npz"):
        load_checkpoint(checkpoint)
    return in_folder(folder, record)


def _is_dataset(found: dict[str, Any] | None) -> bool:
    if found is None:
        return True
    sizes = [*found.get("train", [None]), *found.get("test", [None])]
    texts = [found.get("name"), found.get("digest")]
    return all(isinstance(n, int) and n >= 0 for n in sizes) and all(
        isinstance(text, str) for text in texts
    )


def _refuse_known(known: Sequence[FoundRun], found: FoundRun) -> None:
    """Raise RunError if the run is here: imported before, or where it was made."""
    for run in known:
        has_id = found.run_id is not None and found.run_id in (
            run.run_id,
            run.tags.get(Tag.IMPORTED),
        )
        if has_id or run.started == found.started:
            place = None if run.folder is None else relative_to_cwd(run.folder)
            where = "in the store" if place is None else f"in {place}"
            handle = run.run_id[:12] if run.run_id else place
            raise RunError(
                f"{found.label} is here already: {run.label}, {where}. Use that one, or remove it"
                f" first: digit-exp rm {handle}"
            )


def _folder_name(name: str) -> str:
    """Return `name` if it can be that of a folder; raises ConfigError if not."""
    if name.startswith(".") or not name.isprintable() or {*name} & {*'/\\:*?"<>|'}:
        problem = f"must be a name without / \\ : * ? and not begin with a dot, got {name!r}"
        raise ConfigError.at("--as", problem)
    return name


def _settle(folder: Path, file: Path, name: str | None) -> None:
    """Let the record of a run say that it is one of this place."""
    record = RunRecord.read(folder)
    tags = {
        tag: text
        for tag, text in record.tags.items()
        if tag.startswith(KEPT) or not tag.startswith(("digit_exp.", "mlflow."))
    }
    if Tag.NOTE in tags:
        lines = tags[Tag.NOTE].splitlines()
        tags[Tag.NOTE] = "\n".join(line for line in lines if PICTURE not in line)
    record.tags = {**tags, Tag.IMPORTED: record.run_id or "", Tag.ARCHIVE: digest(file)}
    record.run_id, record.name = None, name or record.name
    record.ended = record.ended or record.started
    record.status = "KILLED" if record.status == "RUNNING" else record.status
    record.write(folder)


def places(words: Sequence[str]) -> Changes:
    """Return words such as `data.dir=FOLDER` as changes; raises ConfigError for any other word.

    >>> places(["data.dir=/home/me/digits"])
    {'data': {'dir': '/home/me/digits'}}
    """
    found: dict[str, object] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in PLACES or not value:
            allowed = " or ".join(f"{place}=..." for place in PLACES)
            raise ConfigError.at(word, f"a run keeps its configuration; only {allowed} moves")
        found[key.removeprefix("data.")] = value
    return {"data": found} if found else {}


def rewrite(folder: Path, changes: Changes) -> None:
    """Write changed values into the configuration of a run, and into that of its checkpoints."""
    if not changes:
        return
    file = folder / paths.CONFIG
    write_text(file, as_yaml(_changed(read_yaml(file), changes)))
    for path in (folder / paths.LAST_CHECKPOINT.parent).glob("*.npz"):
        found = load_checkpoint(path)
        if (run := found.config.get("run")) is not None:
            config = {**found.config, "run": _changed(run, changes)}
            save_checkpoint(path, found.state, config, version=found.version)


def _changed(values: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    for group, new in changes.items():
        if unknown := new.keys() - values[group].keys():
            key = f"{group}.{min(unknown)}"
            raise ConfigError.at(key, "is not a key of this run; see its config.yaml")
    return {**values, **{group: {**values[group], **new} for group, new in changes.items()}}
