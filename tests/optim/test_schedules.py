import json
import math
from pathlib import Path

import pytest

from digit_exp.optim.schedules import (
    SCHEDULES,
    Clock,
    Cosine,
    Monitor,
    OneCycle,
    Plateau,
    Step,
    WarmupCosine,
    WarmupExponential,
)
from digit_exp.registry import ConfigError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/schedules.json").read_text())
CASES = [case for case in GOLDEN["cases"] if case["name"] != "plateau"]
PLATEAUS = [case for case in GOLDEN["cases"] if case["name"] == "plateau"]


def case_id(case):
    return f"{case['name']}-{'-'.join(map(str, case['settings'].values()))}"


def factors(schedule, steps_per_epoch=4, epochs=20):
    """Return the factor of every step of a run, without any metrics."""
    clocks = (Clock(step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs))
    return [schedule.factor(clock, schedule.init()) for clock in clocks]


def by_epoch(schedule, epochs):
    """Return the factor of each epoch, which must not change within it."""
    path = factors(schedule, 3, epochs)
    assert path[0::3] == path[1::3] == path[2::3]
    return path[::3]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_every_step_of_a_run_has_the_golden_factor(case):
    path = factors(SCHEDULES[case["name"]](**case["settings"]))
    assert path == pytest.approx(case["factors"], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("case", PLATEAUS, ids=case_id)
def test_plateau_follows_a_script_of_metrics_as_the_golden_numbers_do(case):
    monitor = Monitor(case["settings"]["monitor"])
    schedule = Plateau(**{**case["settings"], "monitor": monitor})
    memory, path = schedule.init(), []
    for metric in case["metrics"]:
        schedule.observe(memory, {monitor.value: metric, "other": -1.0})
        path.append(schedule.factor(Clock(0, 1, 1), memory))
    assert path == pytest.approx(case["factors"], rel=1e-12)
    assert len(set(path)) > 2


def test_every_schedule_has_golden_numbers():
    assert {case["name"] for case in GOLDEN["cases"]} == set(SCHEDULES.names())


SPECIFICATION = {  # section 5.2, with an initial rate of 1
    "constant": lambda epoch, epochs: 1.0,
    "step": lambda epoch, epochs: 0.5 ** (epoch // 10),
    "exponential": lambda epoch, epochs: 0.95**epoch,
    "cosine": lambda epoch, epochs: (1 + math.cos(math.pi * epoch / epochs)) / 2,
    "warmup_exponential": lambda epoch, epochs: (
        (epoch + 1) / 5 if epoch < 5 else 0.95 ** (epoch - 5)
    ),
}


@pytest.mark.parametrize("name", SPECIFICATION)
@pytest.mark.parametrize("epochs", [1, 20, 35])
def test_the_schedules_of_the_specification_give_its_numbers_epoch_by_epoch(name, epochs):
    expected = [SPECIFICATION[name](epoch, epochs) for epoch in range(epochs)]
    assert by_epoch(SCHEDULES[name](), epochs) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (Step(drop_rate=0.1, epochs_drop=2), 0, 1.0),
        (Step(drop_rate=0.1, epochs_drop=2), 19, 1.0),
        (Step(drop_rate=0.1, epochs_drop=2), 20, 0.1),
        (Cosine(min_factor=0.2), 0, 1.0),
        (Cosine(min_factor=0.2), 20, 0.6),
        (Cosine(min_factor=0.2), 40, 0.2),
        (Cosine(min_factor=0.2), 60, 0.2),
        (WarmupExponential(warmup_epochs=0, decay_rate=0.5), 0, 1.0),
        (WarmupExponential(warmup_epochs=8), 39, 0.5),
        (WarmupCosine(warmup_epochs=2), 0, 0.05),
        (WarmupCosine(warmup_epochs=2), 19, 1.0),
        (WarmupCosine(warmup_epochs=2, min_factor=0.2), 30, 0.6),
        (WarmupCosine(warmup_epochs=2, min_factor=0.2), 99, 0.2),
        (WarmupCosine(warmup_epochs=0), 0, 1.0),
        (WarmupCosine(warmup_epochs=4), 40, 1.0),
        (WarmupCosine(warmup_epochs=8), 39, 0.5),
        (OneCycle(pct_start=0.5), 0, 0.04),
        (OneCycle(pct_start=0.5), 19, 1.0),
        (OneCycle(pct_start=0.5), 39, 4e-6),
        (OneCycle(pct_start=0.5), 60, 4e-6),
        (OneCycle(pct_start=0.0), 0, 1.0),
    ],
)
def test_first_middle_last_and_later_steps_of_four_epochs_of_ten(schedule, step, expected):
    clock = Clock(step, steps_per_epoch=10, epochs=4)
    assert schedule.factor(clock, {}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES.names())
@pytest.mark.parametrize("epochs", [1, 2, 30])
@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_factors_are_python_floats_in_0_to_1_and_asking_changes_nothing(
    name, steps_per_epoch, epochs
):
    schedule = SCHEDULES[name]()
    path = factors(schedule, steps_per_epoch, epochs)
    assert {type(factor) for factor in path} == {float}
    assert all(0 <= factor <= 1 for factor in path)
    assert path == factors(schedule, steps_per_epoch, epochs)
    memory = schedule.init()
    schedule.factor(Clock(0, steps_per_epoch, epochs), memory)
    assert memory == schedule.init()


def test_only_plateau_has_memory():
    assert [name for name in SCHEDULES.names() if SCHEDULES[name]().init()] == ["plateau"]


def observed(schedule, values):
    memory = schedule.init()
    for value in values:
        schedule.observe(memory, {} if value is None else {schedule.monitor.value: value})
    return memory


def test_plateau_passes_over_epochs_without_the_metric():
    schedule = Plateau(patience=1)
    assert observed(schedule, [0.5, None, 0.6, None]) == observed(schedule, [0.5, 0.6])
    assert observed(schedule, [None, None]) == schedule.init()


def test_plateau_counts_a_metric_that_is_not_a_number_as_bad():
    assert observed(Plateau(patience=0), [0.5, math.nan])["factor"] == 0.5


def test_plateau_never_goes_below_its_least_factor():
    assert observed(Plateau(patience=0, min_factor=0.3), [1.0] * 9)["factor"] == 0.3


@pytest.mark.parametrize("monitor", Monitor)
def test_plateau_takes_the_direction_from_the_metric(monitor):
    falling, rising = ([1.0, 0.5], [0.5, 1.0])
    bad, good = (falling, rising) if monitor.value.endswith("acc") else (rising, falling)
    schedule = Plateau(monitor=monitor, patience=0)
    assert observed(schedule, bad)["factor"] == 0.5
    assert observed(schedule, good)["factor"] == 1.0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("step", {"drop_rate": 0.0}),
        ("step", {"epochs_drop": 0}),
        ("exponential", {"decay_rate": 1.1}),
        ("cosine", {"min_factor": -0.1}),
        ("warmup_exponential", {"warmup_epochs": -1}),
        ("warmup_cosine", {"min_factor": 1.1}),
        ("one_cycle", {"pct_start": 1.0}),
        ("one_cycle", {"div_factor": 0.5}),
        ("one_cycle", {"final_div_factor": 0.0}),
        ("plateau", {"threshold": -1e-4}),
        ("plateau", {"patience": -1}),
    ],
)
def test_values_out_of_range_are_refused(name, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        SCHEDULES[name](**settings)
