"""The exercises of the chapter "Know your data": a table with a leak in it, and the checkers."""

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.home import Home

# Which rows of the table are test reviews that stand, changed a little, among the training reviews.
LEAKS: dict[int, Callable[[str], str]] = {
    63: lambda review: review,
    71: str.upper,
    77: lambda review: re.sub(r"[^\w\s]", "", review),
    84: lambda review: f"My review from last week, again. {review}",
    90: lambda review: " ".join(review.split()[12:]),
    98: lambda review: review.replace(" a ", " one ", 1).replace(" ", "  "),
}
TRAIN, TEST = 60, 40  # rows
LONG = 40  # words: enough that a change leaves a run of them alone


def leaky_reviews(home: Home) -> Path:
    """Write a small CSV file of reviews, `split` into train and test, with a leak in it; return its path."""
    source = home.workspace / "data" / "train.csv"
    with source.open(encoding="utf-8", newline="") as file:
        reviews = [row["review"] for row in csv.DictReader(file)]
    long = [review for review in reviews if len(review.split()) >= LONG]
    rows = [("train", review) for review in long[:TRAIN]]
    rows += [("test", review) for review in long[TRAIN : TRAIN + TEST]]
    for number, (row, change) in enumerate(LEAKS.items()):
        rows[row] = ("test", change(rows[7 * number][1]))
    path = home.root / "exercises" / "leaky.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("split", "review"), *rows])
    return part.replace(path)


def find_the_copies(home: Home, rows: Iterable[int]) -> str:
    """All rows of the test set that are copies of training reviews, and no other."""
    given = {int(row) for row in rows}
    wrong, missing = given - LEAKS.keys(), LEAKS.keys() - given
    if wrong:
        raise TutorialError(f"Row {min(wrong)} is no copy of a training review.")
    if missing:
        raise TutorialError(
            f"{len(given)} of {len(LEAKS)} found. Who copies changes capitals, signs or a word: compare what "
            "is left when these are gone, a few words in a row at a time."
        )
    return f"All {len(LEAKS)} copies found. Without them the test set is what it says it is."


def tell_two_points(home: Home, rows: int) -> str:
    """The rows from which on 95% against 93%, with 6% of verdicts different, is beyond a paired interval."""
    # The interval's half width is about 1.96 standard errors of the mean of differences that are 1 in 4%,
    # -1 in 2% and else 0 of the rows.
    needed = round(1.96**2 * (0.04 + 0.02 - 0.02**2) / 0.02**2)
    if rows < needed * 0.9:
        raise TutorialError(f"With {rows} rows the paired interval holds 0: luck may be all of it.")
    if rows > needed * 1.25:
        raise TutorialError(f"{rows} are more than needed: find the smallest number that will do.")
    return (
        f"About {needed} rows, if the differences come out as they are on average. In half of all tests they "
        "come out smaller, so take twice as many."
    )
