"""Every piece of advice can be followed, and then it works."""

import re
import shlex

import pytest

from composing import check

WORD = r"""(?:[^\s'"]|'[^']*'|"[^"]*")+"""
WRITE = re.compile(rf"write (?P<words>{WORD})")
SET = re.compile(r"(?:set|use|add) (?P<words>[\w.]+=[\w.\[\]]+)")
ADD_MULTIRUN = "add -m"


def followed(words, path, message):
    """Yield the command lines that a message advises, as words and whether there is `-m`."""
    key = path.partition("=")[0]
    others = [word for word in words if word.lstrip("+~").partition("=")[0] != key.lstrip("+~")]
    if ADD_MULTIRUN in message:
        yield words, True
    for found in [*WRITE.finditer(message), *SET.finditer(message)]:
        (advised,) = shlex.split(found["words"].rstrip(",;"))
        advised = advised if "=" in advised else f"{key}={advised}"  # of a value alone
        yield [*(words if found.re is SET else others), advised], False


@pytest.mark.parametrize(
    ("words", "multirun"),
    [
        (["model.hidden=256"], False),
        (["model.hidden=256,128"], False),
        (["model.hidden=[128,64,]"], False),
        (["model.hidden='[128, 64]'"], False),
        (["run_name=a,b"], False),
        (["run_name=$a,b"], False),
        (["optimizer.lr=0.1,0.2"], False),
        (["optimizer=adam,sgd"], False),
        (["+optimizer.lr=0.1"], False),
        (["++run_name=it's"], False),
        (["+experiment=debug"], False),
        (["optimizer.name=sgd"], False),
        (["optimizer@model=adam"], False),
        (["optimizer.lr=interval(0.1,0.2)"], True),
        (["sweep=tpe", "optimizer.lr=interval(0.1,0.2)"], False),
        (["sweep=tpe", "optimizer.lr=tag(log,interval(0.1,0.2))"], False),
        (["seed=1,2", "hydra.sweep.dir=mine"], True),
        (["sweep=tpe", "hydra.sweeper.study_name=mine"], False),
        (["seed=1,2", "hydra.sweeper.space.optimizer.lr={type: float, low: 1, high: 2}"], True),
        (["data.val_ratio=0", "trainer.early_stopping.enabled=false"], False),
        (["trainer.epochs=5", "seed=1,2", "data.val_ratio=0"], True),
    ],
    ids=str,
)
def test_what_a_message_says_to_write_works(words, multirun):
    problems = check(words, multirun=multirun)
    assert problems
    advice = [
        (problem, advised)
        for problem in problems
        for advised in followed(words, problem.path, problem.message)
    ]
    assert advice, problems
    for problem, (advised, again) in advice:
        advised = [word.replace("NAME", "adam") for word in advised]
        left = [each for each in check(advised, multirun=again or multirun)]
        assert problem.path not in [each.path for each in left], (advised, left)


@pytest.mark.parametrize("word", ["model.hidden=null", "model.hidden=[a]", "model.hidden=relu"])
def test_no_advice_is_given_where_none_would_work(word):
    (problem,) = check([word])
    assert "write" not in problem.message
