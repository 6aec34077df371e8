"""The archive of a run: a zip without compression, with the SHA-256 of each file in its manifest.

The same run gives the same bytes: names are sorted, dates fixed, and a compressor of another
version cannot matter. An archive may come from anybody: names, sizes and digests are checked before
anything is used.
"""

import hashlib
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digit_exp.atomic import whole
from digit_exp.npz import ArchiveError, refuse_harm
from digit_exp.runs import paths
from digit_exp.runs.active_run import FILES, FOLDERS
from digit_exp.runs.saved.found_run import RunError

FORMAT, VERSION = "digit-exp run", 1
MANIFEST, REQUIREMENTS = "manifest.json", "requirements.txt"
LARGEST = 4 << 30
"""Bytes of an archive that is read."""
LONGEST_MANIFEST = 1 << 20
MOST_FILES = 10_000
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive: the first that a zip can hold."""
NAMES = {paths.RECORD, paths.METRICS, paths.SYSTEM_METRICS, paths.MODEL, REQUIREMENTS, *FILES}
FOLDER_NAMES = [
    re.compile(rf"{folder}/[^./\\:\x00-\x1f][^/\\:\x00-\x1f]*{re.escape(pattern[1:])}")
    for folder, pattern in FOLDERS.items()
]


def is_of_a_run(name: str) -> bool:
    """Tell whether a path in a run's folder is that of a file that belongs to a run.

    >>> [is_of_a_run(name) for name in ("run.json", "checkpoints/last.npz", "figures/../x.png")]
    [True, True, False]
    """
    return name in NAMES or any(pattern.fullmatch(name) for pattern in FOLDER_NAMES)


def write(to: Path, folder: Path, about: Mapping[str, Any]) -> str:
    """Write the files of `folder` as an archive, atomically, and return its SHA-256.

    `about` is what the manifest says besides the files.
    """
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    files = {
        name: {"bytes": path.stat().st_size, "sha256": digest(path)} for name, path in paths.items()
    }
    manifest = {"format": FORMAT, "version": VERSION, **about, "files": files}
    with whole(to) as draft:
        with zipfile.ZipFile(draft, "w") as archive:
            _add(archive, MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode())
            for name in sorted(paths):
                _add(archive, name, paths[name].read_bytes())
        return digest(draft)


def extract(file: Path, folder: Path) -> dict[str, Any]:
    """Check an archive, write its files to `folder`, and return its manifest.

    Raises RunError if it is damaged, not of this program, or would write anywhere else.
    """
    try:
        return _extract(file, folder)
    # RuntimeError: an entry that claims to be encrypted, or compressed by an unknown method
    except (ValueError, LookupError, zipfile.BadZipFile, EOFError, RuntimeError, OSError) as error:
        reason = str(error) or "it ends too early"
        raise RunError(f"{file} is not a whole archive of a run: {reason}") from error


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, DATE)
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # also on Windows
    archive.writestr(info, content)


def _extract(file: Path, folder: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ArchiveError("there is no such file")
    if (size := file.stat().st_size) > LARGEST:
        raise ArchiveError(f"it has {size:,} bytes, and {LARGEST:,} are the most that are read")
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        refuse_harm(entries, size)
        _refuse_foreign(entries)
        manifest = _manifest(archive)
        names = {entry.filename for entry in entries} - {MANIFEST}
        if names != manifest["files"].keys() or not {paths.RECORD, paths.CONFIG} <= names:
            raise ArchiveError("its files are not those of its manifest")
        # the record last: a folder without one is no run
        for name in sorted(names, key=lambda name: (name == paths.RECORD, name)):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("wb") as opened:
                shutil.copyfileobj(source, opened)
            if digest(target) != manifest["files"][name]["sha256"]:
                raise ArchiveError(f"{name} is not as its manifest says: its SHA-256 differs")
    return manifest


def _refuse_foreign(entries: list[zipfile.ZipInfo]) -> None:
    """Raise ArchiveError unless every entry is a plain file of a run."""
    if len(entries) > MOST_FILES:
        raise ArchiveError(f"it has {len(entries):,} files, and {MOST_FILES:,} are the most")
    for entry in entries:
        if entry.filename != MANIFEST and not is_of_a_run(entry.filename):
            raise ArchiveError(f"{entry.filename!r} is not a file of a run")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ArchiveError(f"{entry.filename!r} is a link, or no plain file")
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise ArchiveError("two of its names differ by upper and lower case only")


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if MANIFEST not in archive.namelist():
        raise ArchiveError(f"it has no {MANIFEST}")
    if archive.getinfo(MANIFEST).file_size > LONGEST_MANIFEST:
        raise ArchiveError(f"its {MANIFEST} is too large")
    try:
        manifest = json.loads(archive.read(MANIFEST))
        made = manifest["format"], manifest["version"]
        files = {name: {"sha256": str(file["sha256"])} for name, file in manifest["files"].items()}
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"its {MANIFEST} is of another kind") from error
    if made != (FORMAT, VERSION):
        raise ArchiveError(f"its format is {made}, this program reads {(FORMAT, VERSION)}")
    return {**manifest, "files": files}
