"""The registered classes as schemas of Hydra, and its loader, which hands out composed jobs.

Hydra asks it for the configuration of a run, and its launchers for that of each job. It also reads
preset files as people write them: with dotted keys, and with `@package` below other comments.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from pathlib import Path
from typing import Any, get_origin

import hydra
from hydra import utils, version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from digit_exp.config.composition.untrusted_files import refused, suspicion
from digit_exp.config.parse import GROUPS, defaults, field_types, nested
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import FAMILIES
from digit_exp.registry import Problem

PACKAGE = re.compile(r"#\s*@package\s+(\S+)\s*")

CALLED_BY_HYDRA = ("digit_exp.*", "hydra_plugins.*", "hydra.*", "logging.*", "sys.*")
"""What the configuration of a launcher, a sweeper or a log may name as a class to be called."""


def use_current_behaviour() -> None:
    """Choose the behaviour of Hydra 1.3; later series have no other and deprecate the choice."""
    if hydra.__version__.startswith("1.3."):
        version.setbase("1.3")


def limited_calls() -> AbstractContextManager[Any]:
    """Return a context in which 1.4 calls nothing but CALLED_BY_HYDRA; 1.3 has no such list."""
    limit = getattr(utils, "execution_whitelist", None)
    return nullcontext() if limit is None else limit([*CALLED_BY_HYDRA])


def publish() -> None:
    """Offer the fields and defaults of every class to Hydra, for the `defaults` of YAML files.

    `schema/adam` in the group optimizer also holds `name: adam`, which names the class. A
    group without a registry, such as trainer, has one `schema`.
    """
    OmegaConf.clear_resolver("oc.env")  # no file reads the environment
    for group, cls in GROUPS.items():
        if group not in FAMILIES:
            _store(group, "schema", group, cls)
            continue
        for name in FAMILIES[group].names():
            _store(f"{group}/schema", name, group, FAMILIES[group][name])


_stored: dict[tuple[str, str], type] = {}
"""The classes that Hydra has, by folder and name."""


def _store(folder: str, name: str, group: str, cls: type) -> None:
    if _stored.get((folder, name)) is cls:
        return
    _stored[folder, name] = cls
    named = {} if name == "schema" else {"name": name}
    ConfigStore.instance().store(group=folder, name=name, package=group, node=_schema(cls, **named))


def _schema(cls: type, **extra: str) -> DictConfig:
    node = OmegaConf.create({**extra, **defaults(cls)})
    for name, hint in field_types(cls).items():
        if get_origin(hint) is dict:  # the one place where new keys may be written: tags
            OmegaConf.set_struct(node[name], False)
    return node


_composed: dict[tuple[object, ...], bytes] = {}
"""What choices and the state of the files lead to: to compose it takes a hundred times as long."""

_parsed: dict[tuple[str, str, int], bytes] = {}
"""What files hold, by when they were changed: to read one takes ten times as long."""


class JobLoader(ConfigLoaderImpl):
    """Composes configurations, until `compose` has: then it returns what that composed."""

    def __init__(
        self,
        search_path: ConfigSearchPath,
        job_values: Callable[[JobLoader, Sequence[str]], dict[str, Any]],
    ) -> None:
        """Take `job_values`, which composes the values of a job that a search has chosen."""
        super().__init__(search_path)
        self._job_values = job_values
        self.composed: DictConfig | None = None
        """The configuration of the run, or of a sweep's first job, with Hydra's own part."""
        self.jobs: dict[tuple[str, ...], dict[str, Any]] = {}
        """The values of each job of a grid, by its overrides."""
        self.planned: list[list[str]] = []
        """The overrides of each job of a grid, in their order."""
        self.rounds = 1
        """In how many parts a grid is run: seed by seed in a race, the best so far first."""
        self.rises = True
        """Whether more of the objective is better."""
        self.settings: list[str] = []
        """The overrides of Hydra's own part."""
        self.problems: dict[Problem, None] = {}
        """What files outside the package say and must not."""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Return what was composed, or compose it."""
        if self.composed is not None:
            return self.composed
        return super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Return the configuration of a job: of a grid as it was planned, else composed here."""
        values = self.jobs.get(tuple(sweep_overrides))
        if values is None:  # a search has chosen it
            values = self._job_values(self, sweep_overrides)
        found = with_values(master_config, values, sweep_overrides)
        OmegaConf.copy_cache(from_config=master_config, to_config=found)
        return found

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return what files and choices lead to, whether or not something was composed before."""
        if any("hydra." in word for word in overrides):  # perhaps of other folders
            return self._compose(overrides)
        key = (*overrides, *self._files())
        if key not in _composed:
            _composed[key] = pickle.dumps(self._compose(overrides))
        found: DictConfig = pickle.loads(_composed[key])
        found.hydra.runtime.cwd = str(Path.cwd())
        return found

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return super().load_configuration("config", [*overrides], RunMode.RUN, from_shell=False)

    def _files(self) -> Iterator[tuple[str, int]]:
        """Yield each file that may be read, and when it was changed."""
        for source in self.get_sources():
            if source.scheme() == "file":
                for file in sorted(Path(source.path).rglob("*.yaml")):
                    yield str(file), file.stat().st_mtime_ns

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str], *_: object
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed = OverridesParser.create().parse_overrides(overrides)
        files = _Files(self.repository, self.problems)
        self._process_config_searchpath(config_name, parsed, files)
        return parsed, files


class _Files(CachingConfigRepository):
    """Reads files with the keys that they mean, and notes what those of others must not say."""

    def __init__(self, delegate: IConfigRepository, problems: dict[Problem, None]) -> None:
        # Hydra's own constructor makes a deep copy, of all that is registered, to keep the list of
        # folders apart: a quarter of the time of composing (0.05 of 0.2 s).
        self.delegate = copy(delegate)
        self.cache = {}
        self._problems = problems

    def load_config(self, config_path: str) -> ConfigResult | None:
        file = self._file(config_path)
        if file is None or f"config_path={config_path}" in self.cache:
            return super().load_config(config_path)
        key = config_path, str(file), file.stat().st_mtime_ns
        if key not in _parsed:
            _parsed[key] = pickle.dumps(self._read(config_path, file))
        found: ConfigResult
        found, problems = pickle.loads(_parsed[key])  # a copy: Hydra changes what it gets
        self.cache[f"config_path={config_path}"] = found
        self._problems.update(dict.fromkeys(problems))
        return found

    def _read(self, config_path: str, file: Path) -> tuple[ConfigResult, list[Problem]]:
        """Return what a file holds, and what it says and must not."""
        is_own = file.resolve().is_relative_to(conf_dir().resolve())
        if not is_own and (reason := suspicion(file)) is not None:
            raise ConfigLoadError(f"{file} {reason}")
        found = super().load_config(config_path)
        assert found is not None
        problems: list[Problem] = []
        found.header["package"] = _package(file)
        if isinstance(found.config, DictConfig):
            package = found.header["package"] or config_path.rpartition("/")[0].replace("/", ".")
            package = "" if package == "_global_" else package
            content: Any = OmegaConf.to_container(found.config, resolve=False)
            content = nested(content, package)
            found.config = OmegaConf.create(content)
            if not is_own:
                problems += refused(content, package)
        return found, problems

    def _file(self, config_path: str) -> Path | None:
        name = ConfigSource._normalize_file_name(config_path)
        folders = (source.path for source in self.get_sources() if source.scheme() == "file")
        return next((Path(path, name) for path in folders if Path(path, name).is_file()), None)


def _package(file: Path) -> str | None:
    """Return what `@package` says in the comments at the top of a file."""
    for line in file.read_text(encoding="utf-8-sig").splitlines():
        if match := PACKAGE.fullmatch(line.strip()):
            return match[1]
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return None


def with_values(
    composed: DictConfig, values: Mapping[str, Any], overrides: Sequence[str]
) -> DictConfig:
    """Return these values beside Hydra's part of what was composed."""
    found = OmegaConf.create(dict(values))
    found.hydra = composed.hydra
    OmegaConf.set_readonly(found.hydra, False)  # Hydra 1.4 composes it read-only
    found.hydra.overrides.task = list(overrides)
    return found


def plain_mapping(cfg: DictConfig) -> dict[str, Any]:
    """Return what `cfg` holds; references to other values stay unresolved, to be refused."""
    container: Any = OmegaConf.to_container(cfg, resolve=False)
    return dict(container)
