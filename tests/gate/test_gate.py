"""Every rule of the gate says yes to evidence, and no without."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_trainings import Made

from gate import judge
from gate_case import Case, command_line, read_case
from gate_training import GateError
from gate_verdict import Verdict, passes
from tutorial.home import PROJECT

Make = Callable[..., Made]


def case_of(*told: object) -> Case:
    """Read a case as the command line names it."""
    folders = [str(each.folder) if isinstance(each, Made) else str(each) for each in told]
    return read_case(command_line(None).parse_args(folders))


def verdicts(*told: object) -> dict[str, Verdict]:
    return judge(case_of(*told))


def test_a_better_model_may_become_champion(champion: Made, made: Make) -> None:
    said = verdicts(champion, made("challenger", right=570))
    assert passes(said)
    assert list(said) == ["better", "behaves", "calibrated", "valid", "fits"]


@pytest.mark.parametrize(
    ("start", "right", "holds"),
    [(0, 570, True), (0, 541, False), (0, 540, False), (0, 500, False), (30, 545, False)],
    ids=["better", "one more", "the same", "worse", "luck"],
)
def test_better_says_yes_only_where_luck_cannot_explain_it(
    champion: Made, made: Make, start: int, right: int, holds: bool
) -> None:
    """The last one is right on five reviews more, and wrong on thirty that the champion gets right."""
    said = verdicts(champion, made("challenger", right=right, start=start))["better"]
    assert said.holds is holds
    assert "points (95%)" in said.evidence


@pytest.mark.parametrize(("right", "holds"), [(540, True), (539, True), (520, False)])
def test_with_the_label_it_must_not_be_worse_by_two_points(
    champion: Made, made: Make, right: int, holds: bool
) -> None:
    challenger = made("challenger", right=right)
    said = verdicts(champion, challenger, "--same-quality")["better"]
    assert said.holds is holds
    assert said.evidence.endswith("above -2")
    assert not verdicts(champion, challenger)["better"].holds


@pytest.mark.parametrize(("right", "holds"), [(480, True), (430, False)])
def test_a_first_model_must_be_good_enough(made: Make, right: int, holds: bool) -> None:
    """430 of 600 are 72%, and the interval of that reaches below 70%."""
    first = made("challenger", right=right)
    said = verdicts("--first", first)
    assert said["better"].holds is holds
    assert passes(said) is holds
    # As the workflow calls it, where there is no champion's folder to name.
    assert verdicts("nowhere", first, "--first") == said


def test_a_group_below_its_floor_is_named(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(behaviour__negation={"cases": 20, "passed": 10, "floor": 0.5})
    assert verdicts(champion, challenger)["behaves"].holds
    challenger.say(behaviour__negation={"cases": 20, "passed": 9, "floor": 0.5})
    said = verdicts(champion, challenger)["behaves"]
    assert not said.holds
    assert "negation (45%)" in said.evidence


@pytest.mark.parametrize("floor", [0.0, None])
def test_a_floor_that_the_challenger_brings_along_counts_for_nothing(
    champion: Made, made: Make, floor: float | None
) -> None:
    challenger = made("challenger", right=570)
    challenger.say(behaviour__negation={"cases": 20, "passed": 9, "floor": floor})
    assert not verdicts(champion, challenger)["behaves"].holds


def test_a_hard_group_holds_nobody_up(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(behaviour__irony={"cases": 20, "passed": 0, "floor": 1.0})
    assert verdicts(champion, challenger)["behaves"].holds


@pytest.mark.parametrize(("sure", "holds"), [(0.95, True), (0.957, True), (0.97, False)])
def test_it_may_be_a_little_less_calibrated_than_the_champion(
    champion: Made, made: Make, sure: float, holds: bool
) -> None:
    """The champion's error is 0, and the challenger is right on 95%."""
    challenger = made("challenger", right=570, sure=sure)
    assert verdicts(champion, challenger)["calibrated"].holds is holds


def test_what_the_record_says_of_calibration_counts_for_nothing(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570, sure=0.999)
    challenger.say(evaluation__calibration_error=0.0)
    assert not verdicts(champion, challenger)["calibrated"].holds


@pytest.mark.parametrize(("sure", "holds"), [(0.97, True), (0.99, False)])
def test_a_first_model_has_a_largest_calibration_error(
    made: Make, sure: float, holds: bool
) -> None:
    first = made("challenger", right=540, sure=sure)
    assert verdicts("--first", first)["calibrated"].holds is holds


@pytest.mark.parametrize(("rows", "holds"), [(500, True), (499, False)])
def test_fewer_than_500_test_reviews_tell_nothing(made: Make, rows: int, holds: bool) -> None:
    first = made("challenger", right=rows - 50, rows=rows)
    said = verdicts("--first", first)["valid"]
    assert said.holds is holds
    assert str(rows) in said.evidence


@pytest.mark.parametrize("sentiment", [True, False])
def test_a_test_of_one_sentiment_tells_nothing(made: Make, sentiment: bool) -> None:
    first = made("challenger", right=590, positive=[sentiment] * 600)
    said = verdicts("--first", first)["valid"]
    assert not said.holds
    assert "one sentiment" in said.evidence


def test_a_test_on_what_was_learned_tells_nothing(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(data_digest=challenger.record["test_digest"])
    said = verdicts(champion, challenger)["valid"]
    assert not said.holds
    assert "trained on" in said.evidence


def test_code_that_no_commit_holds_is_not_let_in(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(git_commit="c" * 40 + "-dirty")
    said = verdicts(champion, challenger)["valid"]
    assert not said.holds
    assert "commit" in said.evidence


@pytest.mark.parametrize(
    ("fact", "size", "holds"),
    [
        ("memory_bytes", 82_000_000, True),
        ("memory_bytes", 83_000_000, False),
        ("file_bytes", 50_000_000, True),
        ("file_bytes", 51_000_000, False),
    ],
)
def test_a_model_that_the_app_has_no_room_for_is_not_let_in(
    champion: Made, made: Make, fact: str, size: int, holds: bool
) -> None:
    challenger = made("challenger", right=570)
    challenger.say(**{fact: size})
    assert verdicts(champion, challenger)["fits"].holds is holds


@pytest.mark.parametrize("change", ["rows", "order", "label"])
def test_models_tested_on_different_reviews_are_not_compared(
    champion: Made, made: Make, change: str
) -> None:
    texts = [f"Review number {row} of a film." for row in range(600)]
    told: dict[str, object] = {
        "rows": {"reviews": texts[:-1]},
        "order": {"reviews": [texts[1], texts[0], *texts[2:]]},
        "label": {"positive": [False] + [row % 2 == 0 for row in range(1, 600)]},
    }[change]
    with pytest.raises(GateError, match=r"different reviews.*-p test="):
        case_of(champion, made("challenger", right=570, **told))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROJECT / "scripts" / "gate.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_the_command_says_yes_no_or_that_it_cannot(
    champion: Made, made: Make, tmp_path: Path
) -> None:
    challenger = made("challenger", right=570)
    done = run(champion.folder, challenger.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Yes: it may become champion."
    assert len(done.stdout.splitlines()) == 6

    done = run(champion.folder, champion.folder, "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["yes"] is False
    assert [name for name, rule in said["rules"].items() if not rule["holds"]] == ["better"]

    done = run(champion.folder, tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("train first, with scripts/train.py.\n")
    assert len(done.stderr.splitlines()) == 1
