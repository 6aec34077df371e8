"""Finds the run of `start_from=RUN`, pins its weights, and keeps the validation images unseen."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.config.compose import Plan
from digit_exp.config.overrides import written
from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import read_yaml
from digit_exp.data.idx import DataError
from digit_exp.data.sources import DataSource
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.experiment import build_network, load_data, split_seed
from digit_exp.runs.folder import records_below, relative_to_cwd
from digit_exp.runs.initial_weights import InitialWeights, pinned, refusal, unpinned, weights_digest
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import OUTPUTS, Runs
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import CheckpointError, load_checkpoint

KEY = "start_from="

ID_LENGTH = 12
"""Letters of a run's id that are written into a configuration."""


@dataclass(frozen=True)
class _Origin:
    """A run that was found, with its best weights."""

    weights: InitialWeights
    text: str
    """With the digest."""
    config: RunConfig | None
    """None if it is not known, or no longer valid."""


def pin_plan(plan: Plan) -> Plan:
    """Return a plan whose jobs name the weights that they begin with, all of which fit.

    Raises ConfigError with the reason if one of them cannot begin so.
    """
    if all(job.start_from is None for job in plan.jobs):
        return plan
    jobs = []
    known: dict[str | None, str | None] = {}
    for job in plan.jobs:  # those that say the same begin with the same weights
        jobs.append(pin(replace(job, start_from=known.get(job.start_from, job.start_from))))
        known[job.start_from] = jobs[-1].start_from
    jobs = _on_one_split(jobs)
    for words, job in zip(plan.loader.planned, jobs, strict=False):  # none of a search
        values = plan.loader.jobs[tuple(words)]
        values["start_from"], values["data"]["split_seed"] = job.start_from, job.data.split_seed
    if plan.trials is not None:
        texts = dict.fromkeys(written(job.start_from) for job in jobs)
        said = [word for word in plan.hydra["overrides"]["task"] if not word.startswith(KEY)]
        seeds = {job.data.split_seed for job in jobs}
        split = [
            f"data.split_seed={seed}" for seed in seeds if len(seeds) == 1 and seed is not None
        ]
        plan.set_hydra({"hydra.overrides.task": [*said, f"{KEY}{','.join(texts)}", *split]})
    _require_fitting(jobs)
    return replace(plan, jobs=jobs, launch={**plan.launch, "start_from": jobs[0].start_from})


def _on_one_split(jobs: list[RunConfig]) -> list[RunConfig]:
    """Return the jobs, those that draw their weights with the validation images of the others.

    Only so are they compared on the same images, and only if the runs they start from agree.
    """
    first, *others = {job.data.split_seed for job in jobs if job.start_from is not None}
    if others:
        return jobs
    return [
        replace(job, data=replace(job.data, split_seed=first))
        if job.start_from is None and job.data.split_seed is None
        else job
        for job in jobs
    ]


def pin(config: RunConfig) -> RunConfig:
    """Return a configuration with the digest of the weights that it begins with.

    A run on the images of the other one also gets its validation images, which the weights have
    not been trained on. Without the other run, a run that began with it tells the digest: to go on
    with its own checkpoints is all that is possible then.
    """
    if config.start_from is None:
        return config
    try:
        origin = _origin(config)
    except ConfigError:
        if (known := _as_recorded(config)) is None:
            raise
        return known
    data = config.data
    if data.split_seed is None and origin.config is not None and _same_images(config, origin):
        data = replace(data, split_seed=split_seed(origin.config))
    return replace(config, start_from=origin.text, data=data)


def initial_weights(config: RunConfig) -> InitialWeights | None:
    """Return the weights that a run begins with; None if it draws its own.

    Raises ConfigError if they are not there, or are others by now.
    """
    if config.start_from is None:
        return None
    origin = _origin(config)
    return replace(origin.weights, remark=seen_images(config))


def seen_images(config: RunConfig) -> str | None:
    """Return why validation images may have been trained on by the run that this one starts from.

    None if none of them was: the measured accuracy is then honest.
    """
    if config.start_from is None or not config.data.val_ratio:
        return None
    origin = _origin(config)
    if origin.config is None:
        return f"it is not known which images {origin.weights.source} was trained on"
    if not _same_images(config, origin):
        return None
    splits = {(split_seed(c), c.data.val_ratio, c.data.stratified) for c in (config, origin.config)}
    if len(splits) == 1:
        return None
    return (
        f"{origin.weights.source} was trained with another validation split of these images, so it"
        " has seen some of those that validate this run: their accuracy is too high. Use its"
        " data.val_ratio, data.stratified and data.split_seed"
    )


def _origin(config: RunConfig) -> _Origin:
    text = config.start_from or ""
    name, digest = (text, None) if Path(text).exists() else unpinned(text)
    try:
        find = _find if digest is None else _find_again
        found = find(name, config.tracking.uri, Path.cwd())
    except (RunError, CheckpointError) as error:
        raise refusal(str(error)) from error
    if digest is not None and digest != unpinned(found.text)[1]:
        what = f"the weights of {found.weights.source} are others than those that were meant"
        raise refusal(f"{what} (their digest was {digest}). Name a checkpoint file that stays")
    return found


def _find(text: str, uri: str | None, here: Path) -> _Origin:
    run = Runs.of_folder(here, uri=uri).without_store().find(text)
    if run.status == "RUNNING" and run.checkpoint_file is None:
        raise RunError(
            f"{run.label} is still running and its weights change; wait for it, or name a"
            " checkpoint file"
        )
    weights = _best_weights(run)
    config = None
    with suppress(ConfigError, RunError, CheckpointError):
        config = run.run_config()
    return _Origin(weights, pinned(_name(run), weights_digest(weights.network)), config)


_find_again = lru_cache(maxsize=4)(_find)
"""For the jobs of a sweep, which name a run by what it was: `latest` may be another one later."""


def _best_weights(run: FoundRun) -> InitialWeights:
    """Return the weights of the best checkpoint, else of the network that was tested."""
    file = run.checkpoint_file or run.file(paths.LAST_CHECKPOINT)
    checkpoint = load_checkpoint(file)
    network, epoch = checkpoint.network, checkpoint.state.epoch
    if run.checkpoint_file is None:
        memories = list(checkpoint.state.callback_memory.values())
        kept = next((each["files"][-1] for each in memories if {"files", "best"} <= {*each}), None)
        try:
            file = run.file(paths.LAST_CHECKPOINT.parent / str(kept))
            best = load_checkpoint(file)
            network, epoch = best.network, best.state.epoch
        except RunError:  # none was kept, or it is gone
            network = checkpoint.outcome
            restored = (each["best_epoch"] for each in memories if "best_storage" in each)
            epoch = next(restored, epoch)
    source = f"{run.label}, epoch {epoch} ({file.name})"
    if not isinstance(network, Network):
        raise RunError(f"{source} is no network: it has no weights that another run can begin with")
    if not np.isfinite(network.parameters.storage).all():
        raise RunError(f"the weights of {source} are not finite; choose an earlier checkpoint")
    return InitialWeights(network, source)


def _name(run: FoundRun) -> str:
    """Return a name by which a run is found again: the beginning of its id, or a path."""
    if run.run_id is not None and run.checkpoint_file is None:
        return run.run_id[:ID_LENGTH]
    place = run.checkpoint_file or run.folder
    assert place is not None
    return str(relative_to_cwd(place.absolute()))


def _as_recorded(config: RunConfig) -> RunConfig | None:
    """Return the configuration as a run below `outputs/` has it that began with the same run."""
    name, digest = unpinned(config.start_from or "")
    for folder, record in records_below(OUTPUTS):
        known = record.tags.get(Tag.START_FROM), record.tags.get(Tag.START_DIGEST)
        if known[0] in (name, name[:ID_LENGTH]) and digest in (None, known[1]):
            with suppress(ConfigError):
                found = from_mapping(read_yaml(folder / paths.CONFIG))
                own = config.data.split_seed
                seed = found.data.split_seed if own is None else own
                data = replace(config.data, split_seed=seed)
                return replace(config, start_from=found.start_from, data=data)
    return None


def _same_images(config: RunConfig, origin: _Origin) -> bool:
    """Return whether both have the same data set, however they use it."""
    assert origin.config is not None
    standard: dict[str, Any] = {item.name: item.default for item in fields(DataSource)}
    one, other = (replace(each.data, **standard) for each in (config, origin.config))
    return one == other


def _require_fitting(jobs: Sequence[RunConfig]) -> None:
    """Refuse jobs whose networks cannot take the weights, as far as their data are here."""
    for job in {(job.start_from, repr(job.data), repr(job.model)): job for job in jobs}.values():
        try:
            weights = initial_weights(job)
        except ConfigError:  # its own checkpoint may be all that it needs; else it says so
            continue
        if weights is not None and not job.data.needs_download():
            with suppress(DataError, MemoryError):
                dataset = load_data(job.data)
                weights.copy_into(build_network(job, dataset, dataset.train))
