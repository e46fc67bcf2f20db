"""The checkers of the exercises tell right from wrong, and say what to try."""

import pytest

from tutorial import lab
from tutorial.errors import TutorialError

SURE = "not wonderful not moving not funny"


def fool(review: str, truth: str, positive: float) -> bool:
    """Hand in a review that the model gives this chance of being positive."""
    return lab.exercise("fool the model", review, truth, lambda reviews: positive)


@pytest.mark.parametrize(("truth", "positive"), [("negative", 0.9), ("positive", 0.1)])
def test_a_model_that_is_sure_and_wrong_is_fooled(
    truth: str, positive: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fool(SURE, truth, positive)
    assert capsys.readouterr().out.startswith("✓ The model is 90% sure, and wrong.")


@pytest.mark.parametrize(
    ("review", "truth", "positive", "hint"),
    [
        (SURE, "negative", 0.1, "gives 10% to the wrong verdict, and 70% are wanted"),
        (SURE, "positive", 0.9, "gives 10% to the wrong verdict, and 70% are wanted"),
        (SURE, "negative", 0.69, "gives 69% to the wrong verdict"),
        ("just four words here", "negative", 0.9, "five words or more"),
        (SURE, "bad", 0.9, "'positive' or 'negative', not 'bad'"),
    ],
    ids=["judged rightly", "praise, judged rightly", "not sure enough", "short", "no label"],
)
def test_a_model_that_is_not_fooled_gets_a_hint(
    review: str,
    truth: str,
    positive: float,
    hint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not fool(review, truth, positive)
    said = capsys.readouterr().out
    assert said.startswith("✗ Not yet. ")
    assert hint in said


def test_the_review_is_what_the_model_is_asked_about() -> None:
    asked: list[list[str]] = []
    lab.exercise("fool the model", SURE, "negative", lambda reviews: asked.append(reviews) or 0.9)
    assert asked == [[SURE]]


@pytest.mark.parametrize(
    ("rows", "solved", "words"),
    [
        (864, True, "About 864 reviews"),
        (240, False, "wider than 2 points"),
        (5000, False, "more than needed"),
        (0, False, "wider than 2 points"),
    ],
)
def test_how_many_reviews_make_a_test(
    rows: int, solved: bool, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab.exercise("how many reviews", rows) is solved
    said = capsys.readouterr().out
    assert said.startswith("✓" if solved else "✗ Not yet.")
    assert words in said


def test_an_exercise_that_is_none_is_one_sentence_with_the_choice() -> None:
    with pytest.raises(TutorialError, match=r"no exercise 'nothing': choose from fool the model, "):
        lab.exercise("nothing")
