"""Two models on the same reviews: counted rightly, with the interval of the books, said in words."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app import comparison
from app.comparison import (
    Comparison,
    ComparisonError,
    changed,
    compare,
    mcnemar,
    paired_interval,
)
from app.model import Params, train
from app.model_file import save

Run = Callable[..., tuple[int, str, str]]
Answers = list[tuple[float, float, bool]]

chances = st.integers(0, 999).map(lambda n: (2 * n + 1) / 2000)  # never just between
answers = st.lists(st.tuples(chances, chances, st.booleans()), min_size=1, max_size=60)
counts = st.tuples(*[st.integers(0, 400)] * 4).filter(lambda four: sum(four) > 0)


def columns(rows: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    champion, challenger, positive = (np.array(column) for column in zip(*rows, strict=True))
    return champion, challenger, positive


@given(answers)
def test_every_row_is_counted_where_it_belongs(rows: Answers) -> None:
    """Counted one by one, without numpy."""
    right = [((one >= 0.5) == truth, (two >= 0.5) == truth) for one, two, truth in rows]

    result = compare(*columns(rows))
    repaired, broken = changed(*columns(rows))

    assert result.rows == len(rows)
    assert result.champion == pytest.approx(sum(one for one, _ in right) / len(rows))
    assert result.challenger == pytest.approx(sum(two for _, two in right) / len(rows))
    assert result.difference == pytest.approx(result.challenger - result.champion)
    assert list(repaired) == [n for n, pair in enumerate(right) if pair == (False, True)]
    assert list(broken) == [n for n, pair in enumerate(right) if pair == (True, False)]
    assert (result.repaired, result.broken) == (len(repaired), len(broken))


@given(answers)
def test_to_swap_the_models_is_to_change_the_sign(rows: Answers) -> None:
    champion, challenger, positive = columns(rows)
    one, other = compare(champion, challenger, positive), compare(challenger, champion, positive)
    low, high = one.difference_interval
    assert other.difference == -one.difference
    assert other.difference_interval == pytest.approx((-high, -low))
    assert other.p_value == one.p_value


@given(answers)
def test_it_does_not_matter_what_is_called_positive(rows: Answers) -> None:
    champion, challenger, positive = columns(rows)
    result = compare(champion, challenger, positive)
    assert compare(1 - champion, 1 - challenger, ~positive) == result


@given(counts)
def test_the_interval_holds_the_difference_and_no_impossible_one(
    four: tuple[int, int, int, int],
) -> None:
    (both, repaired, broken, _), rows = four, sum(four)
    low, high = paired_interval(both, repaired, broken, rows)
    assert -1 - 1e-12 <= low <= (repaired - broken) / rows <= high <= 1 + 1e-12
    assert high > low
    # Ten times the rows, alike in everything: closer together.
    ten_low, ten_high = paired_interval(10 * both, 10 * repaired, 10 * broken, 10 * rows)
    assert ten_high - ten_low < high - low


@pytest.mark.parametrize(
    ("both", "first_alone", "second_alone", "neither", "low", "high"),
    [
        # Newcombe's square-and-add interval of first minus second, for the two data sets of
        # Fagerland, Lydersen and Laake (2014), the second as their package `contingencytables` has it.
        (1, 1, 7, 12, -0.507, -0.026),
        (59, 6, 16, 80, -0.1186, -0.0046),
    ],
)
def test_intervals_are_those_that_were_published(
    both: int, first_alone: int, second_alone: int, neither: int, low: float, high: float
) -> None:
    rows = both + first_alone + second_alone + neither
    interval = paired_interval(both, first_alone, second_alone, rows)
    digits = 5e-4 if rows < 100 else 5e-5
    assert interval == pytest.approx((low, high), abs=digits)


@pytest.mark.parametrize(
    "shares",
    [
        # of the rows that both judge rightly, the challenger alone, the champion alone, neither
        pytest.param((0.90, 0.03, 0.03, 0.04), id="equals at 93%"),
        pytest.param((0.74, 0.06, 0.06, 0.14), id="equals at 80%"),
        pytest.param((0.88, 0.06, 0.02, 0.04), id="4 points better"),
        pytest.param((0.935, 0.005, 0.025, 0.035), id="2 points worse"),
        pytest.param((0.30, 0.30, 0.20, 0.20), id="strangers"),
    ],
)
def test_nineteen_intervals_in_twenty_hold_the_truth(
    shares: tuple[float, float, float, float],
) -> None:
    """Simulated: 3,000 test sets of 500 reviews, from a world where the truth is known."""
    true = shares[1] - shares[2]
    draws = np.random.default_rng(7).multinomial(500, shares, size=3_000)
    tables, times = np.unique(draws, axis=0, return_counts=True)
    held = 0
    for (both, repaired, broken, _), number in zip(tables, times, strict=True):
        low, high = paired_interval(int(both), int(repaired), int(broken), 500)
        held += number * (low <= true <= high)
    # 3,000 draws of 95% lie within 1.2 points of it, and the method is a little cautious.
    assert 0.938 <= held / 3_000 <= 0.985


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_p_value_counts_coins(repaired: int, broken: int) -> None:
    """Exactly, with whole numbers: how many ways to fall are as uneven as this one, or more?"""
    tosses = repaired + broken
    uneven = sum(
        comb(tosses, heads)
        for heads in range(tosses + 1)
        if abs(2 * heads - tosses) >= abs(repaired - broken)
    )
    assert mcnemar(repaired, broken) == pytest.approx(float(Fraction(uneven, 2**tosses)))


def of(repaired: int, broken: int, both: int = 440, neither: int = 40) -> Comparison:
    """The comparison of a table."""
    right = [(1.0, 1.0)] * both + [(0.0, 1.0)] * repaired
    right += [(1.0, 0.0)] * broken + [(0.0, 0.0)] * neither
    champion, challenger = zip(*right, strict=True)
    return compare(champion, challenger, [True] * len(right))


def test_a_gate_asks_whether_the_interval_lies_above_a_margin() -> None:
    assert of(30, 5).lies_above()
    assert not of(12, 8).lies_above()
    assert of(12, 8).lies_above(-0.02)
    assert not of(8, 14).lies_above(-0.02)
    assert not of(5, 30).lies_above(-0.02)


@pytest.mark.parametrize(
    ("result", "begins", "says"),
    [
        (of(30, 5), "The challenger is better, by ", "repairs 30 errors and makes 5 of its own"),
        (of(5, 30), "The challenger is worse, by ", "repairs 5 errors and makes 30 of its own"),
        (of(1, 1), "These reviews cannot tell which is better", "repairs 1 error and makes 1 of"),
        (of(0, 0), "These reviews cannot tell which is better", "repairs 0 errors and makes 0 of"),
    ],
)
def test_it_is_said_in_words(result: Comparison, begins: str, says: str) -> None:
    assert result.sentence.startswith(begins)
    assert says in result.sentence
    assert f"{result.challenger:.1%} of {result.rows} reviews" in result.sentence
    low, high = (abs(100 * end) for end in result.difference_interval)
    assert f"{low:.1f}" in result.sentence
    assert f"{high:.1f}" in result.sentence
    assert is_one_sentence(result.sentence)


@pytest.mark.parametrize(
    ("champion", "challenger", "positive"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([0.5], [0.5, 0.5], [True], id="one more answer"),
        pytest.param([0.5, 0.5], [0.5, 0.5], [True], id="a truth too few"),
        pytest.param([[0.5]], [[0.5]], [[True]], id="a table"),
        pytest.param([1.5], [0.5], [True], id="too much"),
        pytest.param([0.5], [-0.5], [True], id="less than nothing"),
        pytest.param([0.5], [float("nan")], [True], id="no number"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    champion: list[float], challenger: list[float], positive: list[bool]
) -> None:
    for function in (compare, changed):
        with pytest.raises(ComparisonError) as raised:
            function(champion, challenger, positive)
        assert is_one_sentence(str(raised.value))


@pytest.fixture
def two(
    small_model: Pipeline, reviews: pd.DataFrame, tmp_path: Path
) -> tuple[Path, Path, Path, pd.DataFrame]:
    """A good model, one that learned from a world turned round, and reviews, the last of them mislabelled."""
    turned = reviews.assign(sentiment=reviews["sentiment"].to_numpy()[::-1])
    paths = tmp_path / "good.skops", tmp_path / "turned.skops", tmp_path / "reviews.csv"
    save(small_model, paths[0])
    save(train(turned, Params(bits=10)), paths[1])
    told = reviews.copy()
    told.loc[len(told) - 1, "sentiment"] = (
        "positive" if told["sentiment"].iloc[-1] == "negative" else "negative"
    )
    told.to_csv(paths[2], index=False)
    return (*paths, told)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m app.comparison` in this process: exit status, standard output, standard error."""

    def comparison_of(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["app.comparison", *map(str, arguments)])
        return (comparison.main(), *capsys.readouterr())

    return comparison_of


def test_the_command_says_it_to_machines(
    run: Run, two: tuple[Path, Path, Path, pd.DataFrame]
) -> None:
    good, turned, data, told = two
    status, out, err = run(turned, good, data, "--rows", "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert (said["repaired"], said["broken"], said["rows"]) == (23, 1, 24)
    assert said["sentence"].startswith("The challenger is better")
    low, high = said["difference_interval"]
    assert 0 < low < said["difference"] < high < 1
    [broken] = said["reviews"]["broken"]
    assert broken["row"] == 24
    assert broken["review"] == told["review"].iloc[-1]
    assert [row["row"] for row in said["reviews"]["repaired"]] == list(range(1, 24))
    # Without --rows, no review leaves the machine.
    status, out, err = run(turned, good, data, "--json")
    assert json.loads(out) == {key: said[key] for key in said if key != "reviews"}


def test_the_command_says_it_to_people(
    run: Run, two: tuple[Path, Path, Path, pd.DataFrame]
) -> None:
    good, turned, data, _ = two
    status, out, err = run(good, turned, data)
    assert (status, err, len(out.splitlines())) == (0, "", 1)
    assert out.startswith("The challenger is worse")
    status, out, err = run(good, turned, data, "--rows")
    assert out.splitlines()[1].startswith("repaired, row 24, ")
    assert len(out.splitlines()) == 1 + 24


def test_what_cannot_be_had_is_one_sentence(
    run: Run, two: tuple[Path, Path, Path, pd.DataFrame]
) -> None:
    good, turned, data, _ = two
    for arguments in (
        (good, "nothing.skops", data),
        ("nothing.skops", good, data),
        (good, turned, "nothing.csv"),
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (1, "")
        assert is_one_sentence(err.removesuffix("\n"))
