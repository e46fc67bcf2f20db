"""The figures on a model: right by the books, and printed for people and for machines."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import is_one_sentence

from app import evaluation
from app.evaluation import calibration_error, evaluate, kinds, wilson_interval

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # The same from the other side.
        (29 - 1, 29, 1 - 0.1718, 1 - 0.0061),
        (20, 20, 1 - 0.1611, 1.0),
    ],
)
def test_intervals_are_those_that_were_published(
    right: int, rows: int, low: float, high: float
) -> None:
    assert wilson_interval(right, rows) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_each_end_is_the_share_that_lies_just_196_standard_errors_away(
    counts: tuple[int, int],
) -> None:
    """That is what Wilson's interval is: solved by hand, without his formula."""
    right, rows = counts
    share = right / rows
    low, high = wilson_interval(right, rows)
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        distance = 1.959964 * math.sqrt(end * (1 - end) / rows)
        assert abs(end - share) == pytest.approx(distance, abs=1e-7)


@pytest.mark.parametrize(
    ("chances", "positive", "error"),
    [
        pytest.param([1, 1, 0, 0], [1, 1, 0, 0], 0.0, id="sure and right"),
        pytest.param([1, 1, 0, 0], [0, 0, 1, 1], 1.0, id="sure and wrong"),
        pytest.param([0.5] * 4, [1, 1, 0, 0], 0.0, id="a coin that knows it is one"),
        pytest.param([0.75] * 8, [1] * 6 + [0] * 2, 0.0, id="75% and 6 of 8"),
        pytest.param([0.25] * 8, [0] * 6 + [1] * 2, 0.0, id="25% and 2 of 8"),
        pytest.param([0.75] * 8, [1] * 4 + [0] * 4, 0.25, id="75% and 4 of 8"),
        pytest.param([0.25] * 8, [0] * 8, 0.25, id="75% and 8 of 8"),
        pytest.param(
            [0.925] * 4 + [0.625] * 4, [1, 1, 0, 0] + [1] * 4, 0.4, id="too sure, not sure enough"
        ),
        pytest.param(
            [0.925] * 6 + [0.625] * 2, [1] * 6 + [0] * 2, 0.2125, id="the larger bin counts more"
        ),
        pytest.param([0.91, 0.94], [1, 0], 0.425, id="one bin, one gap"),
    ],
)
def test_calibration_error_is_what_a_pencil_says(
    chances: list[float], positive: list[int], error: float
) -> None:
    assert calibration_error(chances, positive) == pytest.approx(error)


# Between the edges of bins: there rounding decides.
thousandths = st.integers(0, 99).map(lambda n: (10 * n + 5) / 1000)


@given(st.lists(st.tuples(thousandths, st.booleans()), min_size=1))
def test_calibration_error_does_not_care_what_is_called_positive(
    answers: list[tuple[float, bool]],
) -> None:
    chances, truth = (np.array(column) for column in zip(*answers, strict=True))
    error = calibration_error(chances, truth)
    assert 0 <= error <= 1
    assert error == pytest.approx(calibration_error(1 - chances, ~truth))


class Says:
    """A model that answers with the number that it reads."""

    def __init__(self, *classes: str) -> None:
        self.classes_ = np.array(classes)

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        positive = table["review"].astype(float).to_numpy()
        of = {"positive": positive, "negative": 1 - positive}
        return np.column_stack([of[name] for name in self.classes_])


@pytest.mark.parametrize("classes", [("negative", "positive"), ("positive", "negative")])
def test_an_evaluation_counts_what_was_judged_rightly(classes: tuple[str, str]) -> None:
    reviews = pd.DataFrame(
        {
            "review": ["0.9", "0.6", "0.2", "0.7"],
            "sentiment": ["positive", "positive", "negative", "negative"],
        }
    )

    result = evaluate(Says(*classes), reviews)  # type: ignore[arg-type]

    assert result.rows == 4
    assert result.accuracy == 0.75
    assert result.accuracy_interval == wilson_interval(3, 4)
    assert result.log_loss == pytest.approx(-math.log(0.9 * 0.6 * 0.8 * 0.3) / 4)
    assert result.calibration_error == pytest.approx((0.1 + 0.4 + 0.2 + 0.7) / 4)
    assert result.examples_per_second > 0


def words(number: int) -> str:
    return " ".join(["word"] * number)


@pytest.mark.parametrize(
    ("review", "of"),
    [
        (words(1), {"short"}),
        (words(20), {"short"}),
        (words(21), {"middle"}),
        (words(60), {"middle"}),
        (words(61), {"long"}),
        ("Not good.", {"short", "negation"}),
        ("I don't like it.", {"short", "negation"}),
        ("I don\u2019t like it.", {"short", "negation"}),
        ("i do n't like it .", {"short", "negation"}),
        ("WITHOUT A HEART", {"short", "negation"}),
        ("A knot of nots, notable, noted.", {"short"}),
        ("Slow, but warm.", {"short", "contrast"}),
        ("Although it is no masterpiece, I laughed.", {"short", "contrast", "negation"}),
        ("A butler buttered thoughts.", {"short"}),
    ],
)
def test_a_review_is_of_the_kinds_that_it_is_of(review: str, of: set[str]) -> None:
    found = kinds(pd.DataFrame({"review": [review, "Fine."]}))
    assert {kind for kind, rows in found.items() if rows[0]} == of
    assert {kind for kind, rows in found.items() if rows[1]} == {"short"}


def test_each_slice_has_figures_of_its_own_and_an_empty_one_none() -> None:
    class Glad(Says):
        def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
            return np.tile([0.1, 0.9], (len(table), 1))

    reviews = pd.DataFrame(
        {
            "review": ["Not good.", "Not bad.", "Not dull, but long.", words(30)],
            "sentiment": ["negative", "positive", "positive", "negative"],
        }
    )
    slices = evaluate(Glad("negative", "positive"), reviews).slices  # type: ignore[arg-type]
    assert {kind: (part.rows, part.accuracy) for kind, part in slices.items()} == {
        "short": (3, pytest.approx(2 / 3)),
        "middle": (1, 0.0),
        "negation": (3, pytest.approx(2 / 3)),
        "contrast": (1, 1.0),
    }
    assert slices["negation"].accuracy_interval == wilson_interval(2, 3)


def test_reviews_of_one_sentiment_can_be_evaluated() -> None:
    reviews = pd.DataFrame({"review": ["0.9", "0.4"], "sentiment": ["positive"] * 2})
    result = evaluate(Says("negative", "positive"), reviews)  # type: ignore[arg-type]
    assert result.accuracy == 0.5
    assert result.log_loss == pytest.approx(-math.log(0.9 * 0.4) / 2)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m app.evaluation` in this process: exit status, standard output, standard error."""

    def evaluation_of(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["app.evaluation", *map(str, arguments)])
        return (evaluation.main(), *capsys.readouterr())

    return evaluation_of


def test_the_command_prints_figures_for_machines(model_file: Path, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.evaluation", model_file, "workshop", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert list(figures) == [
        *("rows", "accuracy", "accuracy_interval"),
        *("log_loss", "calibration_error", "examples_per_second", "slices"),
    ]
    assert list(figures["slices"]) == ["short", "middle", "long", "negation", "contrast"]
    assert set(figures["slices"]["short"]) == {"rows", "accuracy", "accuracy_interval"}
    assert figures["rows"] == len(pd.read_csv(project / "data" / "test.csv"))
    low, high = figures["accuracy_interval"]
    assert 0.5 < low < figures["accuracy"] < high < 1


def test_the_command_prints_figures_for_people(run: Run, model_file: Path, project: Path) -> None:
    status, out, err = run(model_file, project / "data" / "test.csv")
    assert (status, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        *("reviews", "accuracy", "log loss", "calibration error", "reviews a second"),
        *[""] * 5,
    ]
    assert re.search(r"^  negation +\d+\.\d%, between [\d.]+% and [\d.]+%, of \d+$", out, re.M)


@pytest.mark.parametrize(
    "uri",
    [
        *("nothing.skops", "data/test.csv", "data", ""),
        *("ftp://host/model", "http://[", "file:nothing", "x" * 300),
    ],
)
def test_a_model_that_cannot_be_had_is_one_sentence(run: Run, project: Path, uri: str) -> None:
    status, out, err = run(uri, project / "data" / "test.csv")
    assert (status, out) == (1, "")
    assert is_one_sentence(err.removesuffix("\n").replace("x" * 300, "x"))


@pytest.mark.parametrize(
    "data",
    [
        *("nothing", "nothing.csv", ".", "app/data.py", ""),
        *("http://127.0.0.1:1/reviews.csv", "s3://bucket/reviews.csv"),
    ],
)
def test_data_that_cannot_be_had_is_one_sentence(
    run: Run,
    project: Path,
    model_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: str,
) -> None:
    monkeypatch.chdir(project)
    status, out, err = run(model_file, data)
    assert (status, out) == (1, "")
    assert is_one_sentence(err.removesuffix("\n"))


def test_a_bad_row_is_one_sentence(run: Run, model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("review,sentiment,film\nFine,good,A\n")
    status, out, err = run(model_file, tmp_path / "mine.csv")
    assert (status, out) == (1, "")
    assert "row 1: the sentiment is 'good'" in err
    assert is_one_sentence(err.removesuffix("\n"))
