"""The rules on worked examples, their properties, and Optuna's decisions on the same histories."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from digit_exp.config.parse import defaults
from digit_exp.config.paths import conf_dir
from digit_exp.pruning.pruners import PRUNERS, Hyperband, Median, SuccessiveHalving, Unpruned
from digit_exp.registry import ConfigError

NAN, INF = math.nan, math.inf
RULES = [
    Median(startup_runs=1, warmup_epochs=0),
    SuccessiveHalving(eta=3),
    SuccessiveHalving(eta=2),
]

values = st.floats(0, 1)
curves = st.lists(values, min_size=1, max_size=9)


def by_epoch(*runs):
    """Return histories whose values are those of the epochs 1, 2, ..."""
    return [dict(enumerate(run, start=1)) for run in runs]


@pytest.mark.parametrize(
    ("rule", "epochs"),
    [
        (Unpruned(), []),
        (Median(), list(range(3, 31))),
        (Median(warmup_epochs=4, interval=10), [14, 24]),
        (Median(warmup_epochs=0, interval=7), [7, 14, 21, 28]),
        (SuccessiveHalving(), [1, 3, 9, 27]),
        (SuccessiveHalving(eta=4, min_epochs=2), [2, 8]),
        (SuccessiveHalving(eta=2, min_epochs=5), [5, 10, 20]),
    ],
)
def test_the_epochs_at_which_a_rule_asks(rule, epochs):
    assert [epoch for epoch in range(1, 31) if rule.asks_at(epoch)] == epochs


def test_the_median_is_that_of_the_rivals_at_the_same_epoch():
    rivals = by_epoch([0.1, 0.5, 0.7], [0.2, 0.4, 0.9], [0.3, 0.6, 0.8])
    rule = Median(startup_runs=3, warmup_epochs=0)
    assert [rule.threshold(epoch, rivals) for epoch in (1, 2, 3)] == [0.2, 0.5, 0.8]


def test_the_median_takes_a_rivals_value_at_the_epoch_and_not_its_best():
    rule = Median(startup_runs=1, warmup_epochs=0)
    assert rule.threshold(2, by_epoch([0.9, 0.5])) == 0.5


def test_the_median_of_too_few_that_came_so_far_asks_nothing():
    rivals = by_epoch([0.1, 0.5, 0.7], [0.2, 0.4], [0.3, 0.6])
    rule = Median(startup_runs=3, warmup_epochs=0)
    assert rule.threshold(2, rivals) == 0.5
    assert rule.threshold(3, rivals) is None


@pytest.mark.parametrize(
    ("eta", "rivals", "threshold"),
    [
        pytest.param(3, [], None, id="alone"),
        pytest.param(3, [0.9], None, id="of two there is no best third"),
        pytest.param(3, [0.5, 0.9], 0.9, id="of three, one"),
        pytest.param(3, [0.5, 0.9, 0.7, 0.8], 0.9, id="of five, one"),
        pytest.param(3, [0.5, 0.9, 0.7, 0.8, 0.6], 0.8, id="of six, two"),
        pytest.param(4, [0.5, 0.9, 0.7, 0.8, 0.6], 0.9, id="of six, a quarter is one"),
        pytest.param(2, [0.5, 0.9, 0.7, 0.8, 0.6], 0.7, id="of six, half is three"),
    ],
)
def test_one_in_eta_goes_on_from_a_rung(eta, rivals, threshold):
    rule = SuccessiveHalving(eta=eta)
    assert rule.threshold(1, by_epoch(*([value] for value in rivals))) == threshold


def test_a_rung_counts_those_that_ended_there_and_takes_the_best_until_then():
    rivals = by_epoch([0.1, 0.8, 0.5, 0.9], [0.1, 0.2, 0.3], [0.9, 0.95])
    assert SuccessiveHalving(eta=3).threshold(3, rivals) == 0.8


@pytest.mark.parametrize("rule", RULES)
def test_a_run_evaluated_every_other_epoch_counts_with_its_next_evaluation(rule):
    assert rule.threshold(1, [{2: 0.7, 4: 0.8}] * 3) == 0.7


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("worst", [NAN, -INF, INF])
def test_a_value_that_is_not_finite_is_worse_than_any_other(rule, worst):
    assert rule.threshold(1, by_epoch([worst], [worst], [0.5], [0.4], [0.3])) == rule.threshold(
        1, by_epoch([-1.0], [-1.0], [0.5], [0.4], [0.3])
    )


@pytest.mark.parametrize("rule", RULES)
@given(runs=st.lists(curves, max_size=9), epoch=st.integers(1, 9))
def test_what_is_asked_does_not_depend_on_the_order_of_the_rivals(rule, runs, epoch):
    rivals = by_epoch(*runs)
    assert rule.threshold(epoch, rivals) == rule.threshold(epoch, rivals[::-1])


@pytest.mark.parametrize("rule", RULES)
@given(runs=st.lists(curves, min_size=3, max_size=9), gain=values)
def test_better_rivals_never_lower_what_is_asked(rule, runs, gain):
    better = [[value + gain for value in run] if i % 2 else run for i, run in enumerate(runs)]
    assert rule.threshold(1, by_epoch(*better)) >= rule.threshold(1, by_epoch(*runs))


@pytest.mark.parametrize("rule", RULES)
@given(runs=st.lists(curves, min_size=3, max_size=9))
def test_one_more_rival_that_is_worst_never_raises_what_is_asked(rule, runs):
    assert rule.threshold(1, by_epoch(*runs, [-1.0])) <= rule.threshold(1, by_epoch(*runs))


@given(st.lists(values, min_size=2, max_size=40, unique=True), st.integers(2, 5))
def test_of_runs_that_meet_at_a_rung_exactly_one_in_eta_goes_on(finals, eta):
    rule = SuccessiveHalving(eta=eta)
    passed = 0
    for i, own in enumerate(finals):
        rivals = by_epoch(*([value] for value in [*finals[:i], *finals[i + 1 :]]))
        threshold = rule.threshold(1, rivals)
        passed += threshold is None or own >= threshold
    assert passed == (len(finals) // eta or len(finals))


def test_the_brackets_of_hyperband_begin_later_and_later():
    hyperband = Hyperband(eta=3, min_epochs=2, brackets=3)
    brackets = {hyperband.bracket(number) for number in range(200)}
    assert brackets == {SuccessiveHalving(eta=3, min_epochs=first) for first in (2, 6, 18)}


def test_the_brackets_get_runs_in_the_proportions_of_the_paper():
    # Li et al. 2018, algorithm 1, with η = 3 and s_max = 2: n = 9, 5 and 3.
    counts = Counter(Hyperband().bracket(number).min_epochs for number in range(1700))
    assert [counts[first] / 100 for first in (1, 3, 9)] == pytest.approx([9, 5, 3], abs=0.6)


def test_one_learning_rate_of_a_grid_is_spread_over_the_brackets():
    for period in range(2, 13):
        column = {
            Hyperband().bracket(number).min_epochs for number in range(0, 40 * period, period)
        }
        assert len(column) == 3


def test_one_bracket_is_successive_halving():
    rules = {Hyperband(eta=4, brackets=1).bracket(number) for number in range(20)}
    assert rules == {SuccessiveHalving(eta=4)}


@pytest.mark.parametrize("name", ["none", "median", "asha"])
def test_other_rules_are_the_same_for_all_runs(name):
    pruner = PRUNERS[name]()
    assert pruner.bracket(0) == pruner.bracket(7) == pruner


def test_no_pruner_asks_nothing():
    assert Unpruned().threshold(1, by_epoch(*[[1.0]] * 9)) is None


def test_all_wrong_values_are_named():
    with pytest.raises(ConfigError) as error:
        Hyperband(eta=1, min_epochs=0, brackets=11)
    assert [str(problem) for problem in error.value.problems] == [
        "eta: must be at least 2, got 1",
        "min_epochs: must be at least 1, got 0",
        "brackets: must be in [1, 10], got 11",
    ]


def test_every_pruner_has_a_file_and_every_file_a_pruner():
    assert {file.stem for file in (conf_dir() / "pruner").glob("*.yaml")} == set(PRUNERS.names())


@pytest.mark.parametrize("name", PRUNERS.names())
def test_a_file_says_what_it_is_for_and_spells_out_the_defaults_of_its_class(name):
    file = conf_dir() / "pruner" / f"{name}.yaml"
    content = OmegaConf.to_container(OmegaConf.load(file))
    assert file.read_text(encoding="utf-8").startswith("# ")
    assert content == {"defaults": [f"schema/{name}"], **defaults(PRUNERS[name])}


def optuna_study(pruner, runs):
    """Return a study that has seen `runs` to their end, and Optuna itself."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", pruner=pruner(optuna.pruners))
    for run in runs:
        trial = study.ask()
        for epoch, value in enumerate(run, start=1):
            trial.report(value, epoch)
            trial.should_prune()  # successive halving takes note of a rung when it is asked
        study.tell(trial, 0.0)
    return study


@pytest.mark.parametrize(
    ("rule", "pruner"),
    [
        pytest.param(
            Median(startup_runs=5, warmup_epochs=2, interval=2),
            # Optuna asks at the end of the warm-up, this rule an interval later.
            lambda pruners: pruners.MedianPruner(5, n_warmup_steps=4, interval_steps=2),
            id="median",
        ),
        pytest.param(
            SuccessiveHalving(eta=3, min_epochs=1),
            lambda pruners: pruners.SuccessiveHalvingPruner(1, reduction_factor=3),
            id="asha",
        ),
    ],
)
def test_optuna_decides_alike_at_every_epoch(rule, pruner):
    """Rising curves, complete and at least η of them: there both define the same."""
    rng = np.random.default_rng(4)
    decisions = set()
    for _ in range(20):
        *runs, own = np.maximum.accumulate(rng.random((rng.integers(4, 9), 10)) ** 3, axis=1)
        trial = optuna_study(pruner, runs).ask()
        for epoch, value in enumerate(own, start=1):
            trial.report(value, epoch)
            threshold = rule.threshold(epoch, by_epoch(*runs))
            decision = threshold is not None and value < threshold
            assert trial.should_prune() == decision
            decisions.add(decision)
            if decision:
                break
    assert decisions == {True, False}
