"""Numbers among the options of commands: what is no number, or out of range, is refused at once."""

import pytest

from digit_exp.cli.parser import command_parser

NUMBERS = [
    (["list", "--best"], ["1", "20"], ["0", "-1", "1.5", "x", ""]),
    (["committee", "run", "--best"], ["2"], ["1", "0", "nan"]),
    (["gc", "--days"], ["0", "7", "0.5"], ["-1", "nan", "inf", "x"]),
    (["reproduce", "run", "--tolerance"], ["0", "0.5", "100"], ["-1", "nan", "inf", "101", "x"]),
    (["try", "seed=1", "--max-pairs"], ["1"], ["0", "-1", "2.5"]),
    (["try", "seed=1", "--indifference"], ["0", "0.2"], ["-1", "nan", "101"]),
    (["ui", "--port"], ["1", "65535"], ["0", "-1", "65536", "99999", "x"]),
    (["draw", "--port"], ["0", "65535"], ["-1", "65536", "0x50"]),
]


@pytest.mark.parametrize(
    "words", [[*words, value] for words, allowed, _ in NUMBERS for value in allowed]
)
def test_a_number_in_range_is_taken(words):
    *_, option, value = words
    taken = getattr(command_parser().parse_args(words), option.strip("-").replace("-", "_"))
    assert taken == float(value)


@pytest.mark.parametrize(
    "words", [[*words, value] for words, _, refused in NUMBERS for value in refused]
)
def test_any_other_is_refused_with_what_is_allowed(words, capsys):
    *_, option, value = words
    with pytest.raises(SystemExit, match="2"):
        command_parser().parse_args([*words[:-2], f"{option}={value}"])
    said = capsys.readouterr().err
    assert f"{option}: must be a" in said
    assert f"got {value!r}" in said
    assert "of at least " in said or " from " in said
