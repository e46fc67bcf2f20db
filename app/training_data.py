"""What a model is trained on and tested on, from wherever it lies, and whether the test is worth its name."""

import re

import pandas as pd

from app.corpora import Split, labelled
from app.data import DataError, read_reviews
from app.model import SMALLEST_TRAINING_SET
from app.sources import SourceError

# Of the test reviews that the model may have met: a few sentences are anybody's, such as "I loved it."
MOST_KNOWN = 0.01
WORD = re.compile(r"\w+")


def read(place: str, split: Split) -> pd.DataFrame:
    """Return labelled reviews: a corpus's, of a CSV file, or of one in S3, `s3://BUCKET/KEY`.

    A corpus of its own test set, such as "workshop", gives the one that `split` names. Raises
    `DataError`.
    """
    if place.lower().startswith("s3://"):
        # When it is asked for: nothing else needs it.
        from app.sources import s3

        try:
            fetched = s3.fetch(place)
        except SourceError as error:
            raise DataError(str(error)) from None
        if fetched is None:
            raise DataError(f"{place} gave nothing: try again.")
        reviews = read_reviews(fetched.path, place)
    else:
        reviews = labelled(place, split)
    for sentiment in ("positive", "negative"):
        if not (reviews["sentiment"] == sentiment).any():
            raise DataError(f"{place} has no {sentiment} review: give reviews of both sentiments.")
    if len(reviews) < SMALLEST_TRAINING_SET:
        raise DataError(
            f"{place} has {len(reviews)} reviews: give {SMALLEST_TRAINING_SET} or more, to train or to test."
        )
    return reviews


def read_both(data: str, test: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the reviews to train on and those to test on.

    Raises `DataError` where the test would be an exam whose questions were handed out before: more
    than 1% of its reviews, or of its films, are among those trained on.
    """
    train, tested = read(data, "train"), read(test, "test")
    known = {_words(review) for review in train["review"]}
    films = set(train["film"]) - {""}
    for what, met in (
        ("are trained on too", tested["review"].map(_words).isin(known)),
        ("are of films that are trained on", tested["film"].isin(films)),
    ):
        if met.mean() > MOST_KNOWN:
            raise DataError(
                f"{met.sum():,} of {len(tested):,} test reviews {what} ({met.mean():.1%}, at most "
                f"{MOST_KNOWN:.0%} may be): remove them from {data} or from {test}."
            )
    return train, tested


def _words(review: str) -> str:
    """Return the words alone: another case, space or sign makes no other review."""
    return " ".join(WORD.findall(review.casefold()))
