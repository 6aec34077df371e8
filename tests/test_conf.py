"""The YAML files and the classes say the same, and every file leads to a configuration."""

import pytest
from omegaconf import OmegaConf

from composing import check, configured
from digit_exp.cli.help import help_text
from digit_exp.config.compose import compose
from digit_exp.config.parse import ABSENT, ROOT, defaults
from digit_exp.config.paths import DIRECTIVES, choices, conf_dir
from digit_exp.config.schema import FAMILIES, LAUNCH, RunConfig, TrackingSettings, TrainerSettings

CONF = conf_dir()
FILES = sorted(CONF.rglob("*.yaml"))
COMPONENTS = [(family, name) for family in FAMILIES for name in FAMILIES[family].names()]
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
SWEEPS = sorted(file.stem for file in (CONF / "sweep").glob("*.yaml"))
PLUMBING = CONF / "hydra"

REQUIRED = {
    "idx": ["data.dir=images"],
    "folder": ["data.dir=images"],
    "csv": ["data.train=images.csv"],
}
"""What a choice cannot do without."""

NAMES = {
    family: [name for name in FAMILIES[family].names() if name not in REQUIRED]
    for family in FAMILIES
}


def values(file):
    """Return what a file says beside its list of defaults."""
    content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    content.pop("defaults", None)
    return content


@pytest.mark.parametrize("family", FAMILIES)
def test_every_class_has_a_file_and_every_file_a_class(family):
    files = {file.stem for file in (CONF / family).glob("*.yaml")}
    assert files == set(FAMILIES[family].names())


@pytest.mark.parametrize(("family", "name"), COMPONENTS)
def test_a_file_spells_out_the_defaults_of_its_class(family, name):
    file = CONF / family / f"{name}.yaml"
    assert OmegaConf.load(file).defaults == [f"schema/{name}"]
    assert values(file) == {
        key: None if value == ABSENT else value
        for key, value in defaults(FAMILIES[family][name]).items()
    }


def test_the_trainer_file_spells_out_the_defaults():
    assert values(CONF / "trainer" / "default.yaml") == defaults(TrainerSettings)


@pytest.mark.parametrize("backend", ["mlflow", "none"])
def test_a_tracking_file_differs_from_the_defaults_in_its_backend_only(backend):
    expected = {**defaults(TrackingSettings), "backend": backend}
    assert values(CONF / "tracking" / f"{backend}.yaml") == expected


def test_the_table_of_contents_spells_out_the_defaults_of_the_root():
    expected = {name: getattr(RunConfig, name) for name in ROOT} | {"resume": None}
    found = values(CONF / "config.yaml")
    sweep = found.pop("sweep")
    assert found == expected
    assert [f"sweep.{name}" for name in sweep] == [key for key in LAUNCH if key != "resume"]


def test_the_defaults_are_those_of_the_specification():
    config = configured()
    assert config.model.hidden == [128, 64]
    assert (config.optimizer.lr, config.trainer.epochs, config.trainer.batch_size) == (
        0.001,
        20,
        32,
    )
    assert (config.data.val_ratio, config.seed) == (0.1, 42)
    stopping = config.trainer.early_stopping
    assert (stopping.enabled, stopping.patience, stopping.min_delta) == (True, 5, 0.001)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_can_be_run(experiment):
    assert check([f"experiment={experiment}"]) == []
    assert isinstance(configured(f"experiment={experiment}"), RunConfig)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_sweep_can_be_run_and_says_of_how_many_jobs_it_is(sweep):
    found = compose([f"sweep={sweep}"])
    assert found.is_sweep
    purpose = dict(choices("sweep"))[sweep]
    assert found.trials is not None or purpose.endswith(f"; {len(found.jobs)} jobs.")


@pytest.mark.parametrize("position", range(max(map(len, NAMES.values()))))
def test_every_choice_can_be_made_and_goes_with_debug(position):
    choices = [f"{family}={names[position % len(names)]}" for family, names in NAMES.items()]
    assert check(["experiment=debug", *choices]) == []


@pytest.mark.parametrize(("choice", "required"), REQUIRED.items())
def test_a_choice_with_required_values_goes_with_debug(choice, required):
    (family,) = [family for family, name in COMPONENTS if name == choice]
    assert check(["experiment=debug", f"{family}={choice}", *required]) == []


def test_debug_wins_over_the_groups_and_the_command_line_over_debug():
    tiny = configured("experiment=debug", "data=synthetic")
    assert (tiny.trainer.epochs, tiny.data.train_size) == (6, 100)
    assert configured("experiment=debug", "trainer.epochs=3").trainer.epochs == 3


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_a_file_begins_by_saying_what_it_is_for(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    purpose = next(line for line in lines if not line.removeprefix("# ").startswith(DIRECTIVES))
    assert purpose.startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_a_file_constructs_nothing_and_refers_to_nothing(file):
    text = file.read_text(encoding="utf-8")
    assert "_target_" not in text
    assert "${" not in text or PLUMBING in file.parents


@pytest.mark.parametrize("family", [*FAMILIES, "tracking", "experiment"])
def test_the_help_has_a_line_for_every_choice(family):
    section = help_text().split(f"\n{family}\n")[1].split("\n\n")[0]
    named = [line.split()[0] for line in section.splitlines()]
    assert named == sorted(file.stem for file in (CONF / family).glob("*.yaml"))
    assert all(len(line.split()) > 3 for line in section.splitlines())


def test_the_help_marks_the_defaults():
    marked = [line.split()[0] for line in help_text().splitlines() if line.endswith("[default]")]
    assert marked == ["mnist", "mlp", "adam", "cosine", *["none"] * 3, "default", "mlflow"]
