"""What can be freed of the disk: files that no run, sweep or registered model needs any more.

A file that may be needed stays. What is younger than a day may be in use by another machine.
"""

import pickle
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from digit_exp.config.serialize import flat, read_yaml
from digit_exp.data.download import cache_folder
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord, records_below, relative_to_cwd
from digit_exp.runs.saved.manage.trash import RUN, Removed, removed
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.deleted_runs import (
    DeletedRun,
    deleted_runs,
    erase,
    registered_runs,
)
from digit_exp.tracking.mlflow.queries import RunStore
from digit_exp.tracking.mlflow.uri import Store, locate
from digit_exp.tracking.tags import Tag
from digit_exp.training.callbacks import ModelCheckpoint
from digit_exp.training.checkpoint import CheckpointError, load_checkpoint

DAY = 86_400
"""Seconds after which what a process began and left is taken for abandoned."""
DRAFTS = (".*.draft", ".import-*")
UNFINISHED = ".*.db.new"
NUMBER = r"(?:nan|inf|[-+.e\\d]+)"
"""What stands for {epoch} or a metric in the name of a checkpoint, to be put into a pattern."""
SHORTEST_ID = 4
"""Letters of an id by which another run may name it."""
PACKAGE = Path(__file__).resolve().parents[3]
ABI = f"py{sys.version_info.major}{sys.version_info.minor}{sys.abiflags}"
"""How Numba calls this Python in the names of its files."""
Runs = list[tuple[Path, RunRecord]]


@dataclass(frozen=True)
class Garbage:
    """Something that can go."""

    path: Path
    bytes: int
    reason: str
    remove: Callable[[], None]


def garbage(outputs: Path, trash: Path, store: Store, days: float) -> list[Garbage]:
    """Return what can be freed; `days`: how long removed runs can still be restored."""
    runs = records_below(outputs)
    return [
        *_removed_runs(runs, trash, store, time.time() - days * DAY),
        *_drafts(outputs, trash, store, runs),
        *_rotated(runs),
        *_sweeps_without_jobs(outputs / "sweeps", removed(trash)),
    ]


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())


def item(path: Path, reason: str) -> Garbage:
    """Return a file or folder that can go by itself."""
    is_folder = path.is_dir() and not path.is_symlink()
    remove = (lambda: shutil.rmtree(path)) if is_folder else lambda: path.unlink(missing_ok=True)
    return Garbage(path, size(path), reason, remove)


def _removed_runs(runs: Runs, trash: Path, store: Store, before: float) -> Iterator[Garbage]:
    """Yield runs in the trash, and deleted runs of the store whose folder is nowhere."""
    kept = registered_runs(store)
    deleted = {run.run_id: run for run in deleted_runs(store)}
    needed = _needed(runs)
    for each in removed(trash):
        when = datetime.fromisoformat(each.when)
        run = deleted.pop(each.record.run_id or "", None)
        is_young = when.timestamp() > before
        if is_young or _is_named(each, needed) or _is_registered(each, store, kept):
            continue
        places = [each.place, *(run.places.values() if run else ())]
        why = f"in the trash since {when:%Y-%m-%d}"
        yield Garbage(each.place, _sizes(places), why, partial(_bury, each, store, run))
    here = {record.run_id for _, record in runs}
    for run in deleted.values():
        if run.run_id not in kept | here and run.when <= before and not _is_id(run.run_id, needed):
            since = datetime.fromtimestamp(run.when).astimezone()
            reason = f"of a run that was deleted in MLflow on {since:%Y-%m-%d}"
            sizes = _sizes(run.places.values())
            yield Garbage(run.places[run.run_id], sizes, reason, partial(erase, store, run))


def _sizes(places: Iterable[Path]) -> int:
    return sum(size(place) for place in places if place.exists())


def _is_registered(each: Removed, store: Store, kept: set[str]) -> bool:
    """Tell whether a registered model comes from a run, or may do so in a store that is away."""
    run_id = each.record.run_id
    if run_id is None:
        return False
    uri = _config(each.place / RUN).get("tracking.uri")
    try:
        if (own := locate(None if uri is None else str(uri), Path.cwd())) == store:
            return run_id in kept
        return bool(RunStore(own).models_of(run_id))
    except (TrackingError, ConfigError):
        return True


def _bury(each: Removed, store: Store, run: DeletedRun | None) -> None:
    if run is not None:
        erase(store, run)
    shutil.rmtree(each.place)


def _needed(runs: Runs) -> set[str]:
    """Return how runs name those that they began with."""
    named: list[object] = [record.tags.get(Tag.ORIGIN) for _, record in runs]
    named += [_config(folder).get("start_from") for folder, _ in runs]
    return {re.sub(r"@[0-9a-f]+$", "", text) for text in named if isinstance(text, str)}


def _is_named(each: Removed, needed: Iterable[str]) -> bool:
    """Tell whether a text names a run in the trash, or a file of it where it was."""
    paths = [Path(text).absolute() for text in needed]
    return (
        not {*each.names}.isdisjoint(needed)
        or any(path.is_relative_to(each.origin) for path in paths)
        or _is_id(each.record.run_id, needed)
    )


def _is_id(run_id: str | None, needed: Iterable[str]) -> bool:
    found = (text for text in needed if len(text) >= SHORTEST_ID)
    return run_id is not None and any(run_id.startswith(text) for text in found)


def _drafts(outputs: Path, trash: Path, store: Store, runs: Runs) -> Iterator[Garbage]:
    """Yield what processes that were killed have half written."""
    working = [folder for folder, record in runs if _may_be_working(record)]
    found = {path for folder in (outputs, trash) for name in DRAFTS for path in folder.rglob(name)}
    if store.database is not None:
        found |= {*store.database.parent.glob(UNFINISHED)}
    for path in sorted(found):
        is_old = path.lstat().st_mtime < time.time() - DAY
        if is_old and not any(path.is_relative_to(folder) for folder in working):
            yield item(path, "half written by a process that was killed")


def _may_be_working(record: RunRecord) -> bool:
    """Whether a process may be working on a run, here or on another machine."""
    return record.status == "RUNNING" and not record.is_dead


def _rotated(runs: Runs) -> Iterator[Garbage]:
    """Yield checkpoints that should have been replaced by later ones."""
    needed = {Path(text).absolute() for text in _needed(runs)}
    for folder, record in runs:
        settings = _config(folder)
        name = settings.get("trainer.checkpoint.filename")
        if _may_be_working(record) or not settings.get("trainer.checkpoint.keep"):
            continue
        if not isinstance(name, str) or "{" not in name:
            continue
        for path in _not_kept(folder, name):
            if path.absolute() not in needed:
                yield item(path, "a checkpoint that later ones have replaced")


def _not_kept(folder: Path, filename: str) -> list[Path]:
    """Return the checkpoints that `filename` could have named and the last one does not list."""
    try:
        state = load_checkpoint(folder / paths.LAST_CHECKPOINT).state
        kept = state.callback_memory[ModelCheckpoint(filename).name]["files"]
    except (CheckpointError, KeyError):
        return []
    files = sorted((folder / paths.LAST_CHECKPOINT.parent).glob("[!.]*.npz"))
    if not {*kept} <= {path.name for path in files}:  # killed in between: the others may be all
        return []
    pattern = re.sub(r"\\\{.+?\\\}", NUMBER, re.escape(filename))
    return [
        path
        for path in files
        if re.fullmatch(pattern, path.name)
        and path.name not in kept
        and path.name != paths.LAST_CHECKPOINT.name
    ]


def _sweeps_without_jobs(sweeps: Path, in_trash: list[Removed]) -> Iterator[Garbage]:
    """Yield the folders of sweeps that were ended before the first job began."""
    for folder in sorted(path for path in sweeps.glob("*") if path.is_dir()):
        files = [path for path in folder.rglob("*") if not path.is_dir()]
        times = [path.lstat().st_mtime for path in (folder, *files)]
        has_results = any(path.name == paths.RECORD or "report" in path.name for path in files)
        may_return = any(each.origin.is_relative_to(folder.absolute()) for each in in_trash)
        if max(times) < time.time() - DAY and not has_results and not may_return:
            yield item(folder, "a sweep without a job")


def _config(folder: Path) -> Mapping[str, object]:
    try:
        return flat(read_yaml(folder / paths.CONFIG))
    except (ConfigError, OSError, ValueError):
        return {}


def caches(outputs: Path) -> list[Garbage]:
    """Return what the caches hold that no run below `outputs` is on."""
    return [*_kernels(), *_downloads(outputs)]


def _kernels() -> Iterator[Garbage]:
    """Yield kernels that another Python or another Numba has compiled."""
    import numba

    from digit_exp.data.kernels import affine
    from digit_exp.nn.kernels import relu_backward

    elsewhere = {kernel.cache_folder for kernel in (affine, relu_backward)} - {None}
    folders = {*PACKAGE.rglob("__pycache__"), *elsewhere}
    for index in sorted(path for folder in folders if folder for path in folder.glob("*.nbi")):
        abi = index.stem.rpartition(".")[2]
        if abi != ABI or _version(index) != numba.__version__:
            for file in (index, *sorted(index.parent.glob(f"{index.stem}.*.nbc"))):
                yield item(file, "a kernel that another Python or Numba has compiled")


def _version(index: Path) -> str | None:
    """Return the version of Numba that wrote an index; None if it cannot be read."""
    try:
        with index.open("rb") as file:
            return str(pickle.load(file))
    except (OSError, pickle.UnpicklingError, EOFError, ValueError, AttributeError):
        return None


def _downloads(outputs: Path) -> Iterator[Garbage]:
    """Yield data sets that no run here is on, and pictures that were decoded."""
    used = {record.tags.get(Tag.DATA) for _, record in records_below(outputs)}
    for folder in sorted(path for path in cache_folder("").glob("*") if path.is_dir()):
        if folder.name not in used:
            yield item(folder, "in the cache; it is downloaded or read again when it is needed")


def as_json(found: Garbage) -> dict[str, object]:
    """Return the shape that `gc --json` prints of one thing."""
    path = str(relative_to_cwd(found.path))
    return {"path": path, "bytes": found.bytes, "reason": found.reason}
