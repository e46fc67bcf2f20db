"""The checkers of the exercises. Each returns a sentence of praise or raises `TutorialError` with a hint."""

from collections.abc import Callable

from tutorial.errors import TutorialError
from tutorial.home import Home


def fool_the_model(
    home: Home, review: str, truth: str, predict: Callable[[list[str]], float]
) -> str:
    """A review of five words or more that the model gets wrong and is sure of."""
    if truth not in ("positive", "negative"):
        raise TutorialError(f"Say what your review is, 'positive' or 'negative', not {truth!r}.")
    if len(review.split()) < 5:
        raise TutorialError("Write a review of five words or more.")
    positive = float(predict([review]))
    wrong = positive if truth == "negative" else 1 - positive
    if wrong < 0.7:
        raise TutorialError(
            f"The model gives {wrong:.0%} to the wrong verdict, and 70% are wanted. Irony, or praise for "
            "everything but the film, may help."
        )
    return (
        f"The model is {wrong:.0%} sure, and wrong. It counts words; it does not understand them."
    )


def how_many_reviews(home: Home, rows: int) -> str:
    """The number of test reviews from which on 2 points more than 90% are beyond the 95% interval."""
    # Half the width of the interval of a share p of n rows is about 1.96 * sqrt(p (1 - p) / n).
    needed = round(1.96**2 * 0.9 * 0.1 / 0.02**2)
    if rows < needed * 0.8:
        raise TutorialError(
            f"With {rows} reviews the interval is wider than 2 points to either side."
        )
    if rows > needed * 1.25:
        raise TutorialError(f"{rows} are more than needed: find the smallest number that will do.")
    return f"About {needed} reviews: four times as many for half the width."


EXERCISES: dict[str, Callable[..., str]] = {
    "fool the model": fool_the_model,
    "how many reviews": how_many_reviews,
}
