"""Runs in the trash: their folders are moved, their MLflow runs are deleted but can be restored."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from digit_exp.atomic import write_text
from digit_exp.runs.folder import RunRecord, relative_to_cwd
from digit_exp.runs.saved.found_run import FoundRun, RunError, record_of
from digit_exp.runs.saved.manage.sync import store_of

TRASH = Path("trash")
NOTE, RUN = "removed.json", "run"
"""In a folder of the trash: where the run's folder was and when it was removed, and that folder."""


@dataclass(frozen=True)
class Removed:
    """A run in the trash."""

    place: Path
    """Its folder in the trash."""
    origin: Path
    """Where its folder was."""
    when: str
    record: RunRecord

    @property
    def names(self) -> list[str]:
        """What it can be called by."""
        known = (self.record.run_id, self.record.name, str(relative_to_cwd(self.origin)))
        return [name for name in known if name]


def remove(run: FoundRun, trash: Path) -> Path:
    """Move a run to the trash and return where it is.

    Raises RunError if it is still going on, has no folder here, or is a registered model;
    TrackingError if the store does not answer. Everything stays as it was then.
    """
    folder, record = run.here(ended=True)
    origin = folder.resolve()
    store = store_of(origin) if record.run_id else None
    if store and record.run_id and (models := store.models_of(record.run_id)):
        raise RunError(f"{run.label} is registered as {', '.join(models)}; delete that first")
    place = _free(trash / f"{datetime.now(UTC):%Y-%m-%d}-{(record.run_id or origin.name)[:12]}")
    place.mkdir(parents=True)
    note = {"from": str(origin), "when": datetime.now(UTC).isoformat()}
    write_text(place / NOTE, json.dumps(note, indent=2))
    try:
        origin.rename(place / RUN)
        if store and record.run_id:
            store.delete(record.run_id)
    except BaseException:
        _back(place, origin)
        raise
    return place


def restore(text: str, trash: Path) -> Path:
    """Move the run that `text` names out of the trash and return its folder.

    Raises RunError if there is none or more than one, or if its folder exists again; TrackingError
    if the store does not answer. It stays in the trash then.
    """
    found = [each for each in removed(trash) if text in each.names]
    found = found or [
        r for r in removed(trash) if text and (r.record.run_id or "").startswith(text)
    ]
    if len(found) != 1:
        known = "\n".join(f"  {', '.join(each.names)}" for each in found or removed(trash))
        problem = "is ambiguous; use an id" if found else "is not in the trash"
        raise RunError(f"{text!r} {problem}:\n{known}" if known else "the trash is empty")
    (run,) = found
    if run.origin.exists():
        raise RunError(f"{run.origin} exists; move it away, the run in the trash belongs there")
    if run.record.run_id:
        store_of(run.place / RUN).restore(run.record.run_id)
    run.origin.parent.mkdir(parents=True, exist_ok=True)
    _back(run.place, run.origin)
    return run.origin


def removed(trash: Path) -> list[Removed]:
    """Return what is in the trash, the latest first."""
    found = []
    for file in trash.glob(f"*/{NOTE}"):
        if (file.parent / RUN).is_dir():
            note = json.loads(file.read_text(encoding="utf-8"))
            record = record_of(file.parent / RUN)
            found.append(Removed(file.parent, Path(note["from"]), note["when"], record))
    return sorted(found, key=lambda each: each.when, reverse=True)


def _back(place: Path, origin: Path) -> None:
    """Undo a removal, however far it came."""
    if (place / RUN).is_dir() and not origin.exists():
        (place / RUN).rename(origin)
    if not (place / RUN).exists():
        shutil.rmtree(place)


def _free(place: Path) -> Path:
    """Return a path that does not exist: `place`, or with a number at its end."""
    others = (place.with_name(f"{place.name}-{number}") for number in count(2))
    return next(path for path in chain([place], others) if not path.exists())
