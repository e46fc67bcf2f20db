"""The exercises on data: a leak that is there to be found, and checkers that tell right from wrong."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from app.comparison import paired_interval
from tutorial import lab
from tutorial.data_exercises import LEAKS, find_the_copies, leaky_reviews, tell_two_points
from tutorial.errors import TutorialError
from tutorial.home import PROJECT, Home


@pytest.fixture
def reader(home: Home) -> Home:
    """A home whose workspace has the reviews of milestone 0."""
    data = home.workspace / "data"
    data.mkdir(parents=True)
    shutil.copyfile(PROJECT / "data" / "train.csv", data / "train.csv")
    return home


def runs(review: str) -> set[str]:
    words = re.findall(r"\w+", review.lower())
    return {" ".join(words[i : i + 6]) for i in range(len(words) - 5)}


def copies(path: Path) -> list[int]:
    """What the chapter's solution finds: test reviews that share six words in a row with a training review."""
    table = pd.read_csv(path)
    train = table[table["split"] == "train"]
    seen = set().union(*map(runs, train["review"]))
    test = table[table["split"] == "test"]
    return [int(row) for row, review in test["review"].items() if runs(review) & seen]  # type: ignore[call-overload]


def test_the_leak_can_be_found_and_not_by_equality_alone(reader: Home) -> None:
    path = leaky_reviews(reader)
    table = pd.read_csv(path)
    assert table["split"].value_counts().to_dict() == {"train": 60, "test": 40}
    assert copies(path) == sorted(LEAKS)
    assert int(table["review"].duplicated().sum()) == 1
    assert "copies found" in find_the_copies(reader, copies(path))


def test_the_table_is_the_same_each_time_and_outside_of_the_workspace(reader: Home) -> None:
    before = sorted(reader.workspace.rglob("*"))
    first = leaky_reviews(reader).read_bytes()
    assert leaky_reviews(reader).read_bytes() == first
    assert sorted(reader.workspace.rglob("*")) == before


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([], "0 of 6 found"),
        ([63], "1 of 6 found"),
        (sorted(LEAKS)[1:], "5 of 6 found"),
        ([*LEAKS, 64], "Row 64 is no copy"),
        (range(60, 100), "Row 60 is no copy"),
    ],
)
def test_who_has_not_found_them_gets_a_hint(home: Home, rows: list[int], hint: str) -> None:
    with pytest.raises(TutorialError, match=hint):
        find_the_copies(home, rows)


def test_two_points_are_told_from_luck_where_the_paired_interval_says_so(home: Home) -> None:
    def low(rows: int) -> float:
        return paired_interval(round(0.91 * rows), round(0.04 * rows), round(0.02 * rows), rows)[0]

    smallest = next(rows for rows in range(100, 2000, 50) if low(rows) > 0)
    assert "take twice as many" in tell_two_points(home, smallest)
    for rows, hint in ((smallest - 100, "luck may be all"), (2 * smallest, "more than needed")):
        with pytest.raises(TutorialError, match=hint):
            tell_two_points(home, rows)


def test_both_are_known_to_the_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.exercise("find the copies", list(LEAKS))
    assert lab.exercise("tell two points", 600)
    assert not lab.exercise("tell two points", 0)
    assert capsys.readouterr().out.count("✓") == 2
