"""Everything that is known of one run: configuration, provenance, metrics, files, what next.

Whatever part is damaged or missing is left out: the rest is shown all the same.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from digit_exp.analysis.report.rerun import command
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import differences, from_flat
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import FINAL_REASONS, relative_to_cwd
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.views.listing import as_json, recorded_config
from digit_exp.tracking.mlflow.links import ID_LENGTH
from digit_exp.tracking.tags import Tag

OWN = ("digit_exp.", "mlflow.")
"""Prefixes of tags for programs."""
COMMIT = "mlflow.source.git."


@dataclass(frozen=True)
class Details:
    """One run, described."""

    run: FoundRun

    @property
    def config(self) -> Mapping[str, object]:
        """Every value by its key, as it was written; empty if it was lost."""
        return recorded_config(self.run)

    @cached_property
    def changed(self) -> Mapping[str, tuple[object, object]]:
        """What differs from the defaults, as `(default, value)` by key."""
        config = self._checked()
        return {} if config is None else differences(config)

    @property
    def is_valid(self) -> bool:
        """Whether the configuration can be run by this version."""
        return self._checked() is not None

    @property
    def provenance(self) -> Mapping[str, str]:
        """Versions, machine, commit, data, and the tags of the user."""
        return {
            key.removeprefix("mlflow.source."): value
            for key, value in self.run.tags.items()
            if key.startswith(COMMIT) or not key.startswith(OWN)
        }

    @property
    def files(self) -> Mapping[str, int]:
        """The bytes of each file of its folder."""
        folder = self.run.folder
        if folder is None:
            return {}
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}

    @property
    def commands(self) -> Mapping[str, str]:
        """What can be done with it, as it is typed."""
        run, handle = self.run, self._handle
        commands = {}
        has_checkpoint = run.is_here(paths.LAST_CHECKPOINT)
        is_broken_off = run.status not in ("FINISHED", "RUNNING", "UNKNOWN")
        is_final = run.tags.get(Tag.STOP_REASON) in FINAL_REASONS
        if is_broken_off and not is_final and has_checkpoint:
            commands["resume"] = f"digit-exp resume={handle}"
        if run.run_id is not None:
            commands["open"] = f"digit-exp ui {handle}"
        if has_checkpoint or run.store is not None:
            commands["predict"] = f"digit-exp predict {handle} IMAGE"
        if Tag.COMMITTEE in run.tags:
            members = " ".join(json.loads(run.tags[Tag.COMMITTEE]))
            return {**commands, "make again": f"digit-exp committee {members}"}
        if "predict" in commands:
            commands["reproduce"] = f"digit-exp reproduce {handle}"
        if self.is_valid:
            changed = {key: value for key, (_, value) in self.changed.items()}
            commands["train again"] = command(changed)
        return commands

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `show --json` prints."""
        job = self.run.tags.get(Tag.JOB)
        return {
            **as_json(self.run),
            "job": None if job is None else int(job),
            "reason": self.run.tags.get(Tag.STOP_REASON),
            "note": self.run.here()[1].annotations.get(Tag.NOTE) if self.run.folder else None,
            "changed": {
                key: {"default": default, "value": value}
                for key, (default, value) in self.changed.items()
            },
            "config": dict(self.config),
            "valid": self.is_valid,
            "provenance": dict(self.provenance),
            "files": dict(self.files),
            "page": self.run.page(),
            "commands": dict(self.commands),
        }

    @property
    def _handle(self) -> str:
        if self.run.run_id is not None:
            return self.run.run_id[:ID_LENGTH]
        place = self.run.folder or self.run.checkpoint_file
        return shlex.quote(self.run.name if place is None else str(relative_to_cwd(place)))

    def _checked(self) -> RunConfig | None:
        try:
            if self.run.folder is None and self.run.trial is not None:
                return from_flat(self.config)
            return self.run.run_config()
        except (ConfigError, RunError, OSError, ValueError):
            return None
