"""The behavioural suite: what it holds, what passes a case, and what its command says."""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app import behaviour
from app.behaviour import FLOORS, MOVES, NAMES_MOVE, Case, behave, read_cases
from app.data import DataError
from app.model_file import save

Run = Callable[..., tuple[int, str, str]]
HEADER = "group,expected,review,other\n"


@pytest.fixture(scope="module")
def cases(project: Path) -> list[Case]:
    """The suite."""
    return read_cases(project / "data" / "behaviour.csv")


def words_of(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_every_group_has_cases_enough_and_no_case_stands_twice(cases: list[Case]) -> None:
    assert len(cases) >= 150
    sizes = Counter(case.group for case in cases)
    assert set(sizes) == set(FLOORS)
    assert min(sizes.values()) >= 15
    assert len({case.review for case in cases}) == len(cases)
    assert all(case.review != case.other for case in cases)


def test_one_answer_to_everything_passes_about_half_of_the_verdicts_and_no_move(
    cases: list[Case],
) -> None:
    for group in FLOORS:
        expected = Counter(case.expected for case in cases if case.group == group)
        assert len(expected) == 2
        assert min(expected.values()) >= 0.4 * expected.total()
        assert set(expected) in ({"positive", "negative"}, set(MOVES))


def test_only_irony_has_no_floor_and_no_floor_is_out_of_reach_of_a_failure() -> None:
    assert {name for name, floor in FLOORS.items() if floor is None} == {"irony"}
    assert all(0.5 <= floor < 1 for floor in FLOORS.values() if floor is not None)


def test_no_case_was_seen_in_training(
    cases: list[Case], train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame
) -> None:
    """Neither a sentence of the corpus, nor eight words in a row."""
    reviews = [*train_reviews["review"], *unseen_reviews["review"]]
    sentences = {words_of(s) for review in reviews for s in re.split(r"[.!?]", review)} - {""}
    runs = {run for review in reviews for run in runs_of(review)}
    asked = [text for case in cases for text in (case.review, case.other) if text]
    assert [text for text in asked if words_of(text) in sentences] == []
    assert [text for text in asked if runs_of(text) & runs] == []


def runs_of(text: str) -> set[tuple[str, ...]]:
    words = words_of(text).split()
    return {tuple(words[n : n + 8]) for n in range(len(words) - 7)}


class Says:
    """A model that gives each text the chance that it was told."""

    classes_ = np.array(["negative", "positive"])

    def __init__(self, chances: Mapping[str, float]) -> None:
        self.chances = chances

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        positive = np.array([self.chances[text] for text in table["review"]])
        return np.column_stack([1 - positive, positive])


def passes(case: Case, chance: float, other: float = 0.5) -> bool:
    said = behave(Says({"a": chance, "b": other}), [case])  # type: ignore[arg-type]
    assert said.groups[case.group].cases == 1
    assert said.failed == (() if said.groups[case.group].passed else (case,))
    return not said.failed


def test_a_verdict_must_be_right() -> None:
    assert passes(Case("negation", "positive", "a"), 0.5)
    assert not passes(Case("negation", "positive", "a"), 0.49)
    assert passes(Case("negation", "negative", "a"), 0.49)
    assert not passes(Case("negation", "negative", "a"), 0.5)


def test_a_verdict_must_be_right_in_both_spellings() -> None:
    case = Case("typos", "positive", "a", "b")
    assert passes(case, 0.9, 0.6)
    assert not passes(case, 0.9, 0.4)
    assert not passes(case, 0.4, 0.9)
    assert not passes(case, 0.1, 0.1)


def test_what_raises_must_raise() -> None:
    up, down = Case("intensifiers", "raises", "a", "b"), Case("intensifiers", "lowers", "a", "b")
    assert (passes(up, 0.2, 0.3), passes(up, 0.3, 0.3), passes(up, 0.3, 0.2)) == (1, 0, 0)
    assert (passes(down, 0.2, 0.3), passes(down, 0.3, 0.3), passes(down, 0.3, 0.2)) == (0, 0, 1)


def test_another_name_hardly_moves_the_chance() -> None:
    case = Case("names", "positive", "a", "b")
    assert passes(case, 0.8, 0.8 + NAMES_MOVE - 0.01)
    assert not passes(case, 0.8, 0.8 + NAMES_MOVE + 0.01)
    assert not passes(case, 0.8, 0.8 - NAMES_MOVE - 0.01)


def test_a_group_below_its_floor_is_named_and_irony_never() -> None:
    right, wrong = {"a": 0.9}, {"a": 0.1}
    groups = ("contrast", "irony", "length")
    suite = [Case(group, "positive", "a") for group in groups]

    said = behave(Says(wrong), suite)  # type: ignore[arg-type]

    assert said.rates == dict.fromkeys(groups, 0)
    assert said.below == ["contrast", "length"]
    assert behave(Says(right), suite).below == []  # type: ignore[arg-type]


def test_a_rate_on_its_floor_is_not_below_it() -> None:
    chances = {"a": 0.9, "b": 0.1}
    suite = [Case("negation", "positive", text) for text in chances]
    said = behave(Says(chances), suite)  # type: ignore[arg-type]
    assert (said.rates["negation"], FLOORS["negation"]) == (0.5, 0.5)
    assert said.below == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("group,expected,review\n", "no rows", id="only a header"),
        pytest.param(
            "group,expected,review\nirony,positive,A\n", "no column `other`", id="a column"
        ),
        pytest.param(HEADER + "sarcasm,positive,A,\n", "row 1: the group is 'sarcasm'", id="group"),
        pytest.param(HEADER + "irony,funny,A,\n", "row 1: expected is 'funny'", id="expectation"),
        pytest.param(
            HEADER + "irony,positive,A,\nirony,positive, ,\n", "row 2: the review", id="no"
        ),
        pytest.param(HEADER + "irony,raises,A,\n", "row 1: raises compares two", id="no second"),
    ],
)
def test_cases_that_cannot_be_asked_are_refused(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_cases(path)
    assert str(refused.value).startswith(f"{path}")
    assert complaint in str(refused.value)
    assert is_one_sentence(str(refused.value))


@pytest.fixture(scope="module")
def poor_model(small_model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model that knows a dozen words."""
    path = tmp_path_factory.mktemp("poor") / "sentiment.skops"
    save(small_model, path)
    return path


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m app.behaviour` in this process: exit status, standard output, standard error."""
    monkeypatch.chdir(project)

    def behaviour_of(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["app.behaviour", *map(str, arguments)])
        return (behaviour.main(), *capsys.readouterr())

    return behaviour_of


def test_the_command_prints_for_machines_what_failed_and_where(
    run: Run, poor_model: Path, cases: list[Case]
) -> None:
    status, out, err = run(poor_model, "--json")

    assert (status, err) == (1, "")
    said = json.loads(out)
    assert list(said) == ["groups", "below", "failed"]
    assert {name: group["floor"] for name, group in said["groups"].items()} == FLOORS
    for group in said["groups"].values():
        assert set(group) == {"cases", "passed", "floor", "rate"}
        assert group["rate"] == group["passed"] / group["cases"]
    assert "irony" not in said["below"]
    assert said["below"] == [
        name
        for name, group in said["groups"].items()
        if group["floor"] is not None and group["rate"] < group["floor"]
    ]
    failed = Counter(case["group"] for case in said["failed"])
    assert {n: g["cases"] - g["passed"] for n, g in said["groups"].items()} == {
        name: failed[name] for name in FLOORS
    }
    assert all(Case(**case) in cases for case in said["failed"])


def test_the_command_prints_for_people_a_line_a_group(
    run: Run, poor_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(poor_model)
    assert (status, err) == (1, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == list(FLOORS)
    assert lines["irony"].endswith("hard: no floor")
    assert re.search(r"\d+ of 18 +\d+%  floor 75%, and below it$", lines["typos"])

    monkeypatch.setattr(behaviour, "FLOORS", dict.fromkeys(FLOORS, 0.0))
    status, out, err = run(poor_model)
    assert (status, err) == (0, "")
    assert "below" not in out


def test_a_model_that_cannot_be_had_is_one_sentence_and_no_verdict(run: Run) -> None:
    status, out, err = run("nothing.skops", "--json")
    assert (status, out) == (2, "")
    assert is_one_sentence(err.removesuffix("\n"))


def test_cases_that_cannot_be_had_are_one_sentence_and_no_verdict(
    run: Run, poor_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(poor_model)
    assert (status, out) == (2, "")
    assert is_one_sentence(err.removesuffix("\n"))
