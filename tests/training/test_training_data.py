"""What a model is trained and tested on: refused where it is none, or where the test is no test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from plain import is_one_sentence

from app.data import COLUMNS, DataError, read_reviews
from app.sources import s3
from app.training_data import read, read_both
from local_s3 import LocalS3
from tutorial.home import PROJECT

BUCKET = "reviews-to-train-on"


def reviews(rows: int, what: str = "Film") -> pd.DataFrame:
    """Return reviews of both sentiments, each of a film of its own."""
    kinds = [("positive", "Warm and witty"), ("negative", "Dull and wooden")]
    made = [
        (f"{said}, said number {row} of {what}.", kind, f"{what} {row}")
        for row, (kind, said) in enumerate(kinds * rows)
    ]
    return pd.DataFrame(made[:rows], columns=list(COLUMNS))


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[pd.DataFrame, str], str]:
    """Keep a table as a CSV file; give its path."""

    def kept(table: pd.DataFrame, name: str = "given.csv") -> str:
        table.to_csv(tmp_path / name, index=False)
        return str(tmp_path / name)

    return kept


@pytest.fixture
def pair(kept: Callable[..., str]) -> Callable[..., tuple[str, str]]:
    """Keep 100 reviews to train on and 200 to test on, with some of the former added to the latter."""

    def pair(known: pd.DataFrame | None = None) -> tuple[str, str]:
        tested = reviews(200, "Test")
        if known is not None:
            tested = pd.concat([tested.iloc[len(known) :], known])
        return kept(reviews(100), "train.csv"), kept(tested, "test.csv")

    return pair


def refusal(read: Callable[..., object], *arguments: str) -> str:
    """Give the sentence that refuses."""
    with pytest.raises(DataError) as error:
        read(*arguments)
    assert is_one_sentence(str(error.value)), error.value
    return str(error.value)


def test_a_column_that_is_missing_is_named(kept: Callable[..., str]) -> None:
    place = kept(reviews(40).drop(columns="film"))
    assert refusal(read, place, "train") == (
        f"{place} has no column `film`: labelled reviews have review, sentiment, film."
    )


def test_mixed_labels_are_named_by_their_row(kept: Callable[..., str]) -> None:
    table = reviews(40)
    table.loc[6, "sentiment"] = "pos"
    assert refusal(read, kept(table), "train").endswith(
        "row 7: the sentiment is 'pos': write positive or negative."
    )


@pytest.mark.parametrize(("there", "missing"), [(0, "negative"), (1, "positive")])
def test_one_sentiment_alone_is_refused(kept: Callable[..., str], there: int, missing: str) -> None:
    place = kept(reviews(100).iloc[there::2])
    assert refusal(read, place, "test") == (
        f"{place} has no {missing} review: give reviews of both sentiments."
    )


def test_ten_rows_are_too_few(kept: Callable[..., str]) -> None:
    place = kept(reviews(10))
    assert refusal(read, place, "train").startswith(f"{place} has 10 reviews: give 20 or more")
    assert len(read(kept(reviews(20)), "train")) == 20


def test_a_corpus_that_nobody_knows_is_refused() -> None:
    assert "'imbd' is neither a CSV file nor a corpus" in refusal(read, "imbd", "train")


def test_the_workshop_s_own_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    train, test = read_both("workshop", "workshop")
    assert train.equals(read_reviews("data/train.csv"))
    assert test.equals(read_reviews("data/test.csv"))


def test_what_was_trained_on_is_no_test(pair: Callable[..., tuple[str, str]]) -> None:
    train, test = pair(reviews(3))
    assert refusal(read_both, train, test) == (
        "3 of 200 test reviews are trained on too (1.5%, at most 1% may be): "
        f"remove them from {train} or from {test}."
    )


def test_one_percent_is_anybody_s(pair: Callable[..., tuple[str, str]]) -> None:
    train, test = read_both(*pair(reviews(2)))
    assert (len(train), len(test)) == (100, 200)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace(",", " -- ").rstrip(".") + "!!!",
        lambda text: "\n" + text.replace(" ", "  "),
    ],
)
def test_another_case_or_sign_makes_no_other_review(
    pair: Callable[..., tuple[str, str]], change: Callable[[str], str]
) -> None:
    known = reviews(3).assign(film="")
    known["review"] = known["review"].map(change)
    assert refusal(read_both, *pair(known)).startswith("3 of 200 test reviews are trained on too")


def test_another_word_makes_another_review(pair: Callable[..., tuple[str, str]]) -> None:
    other = reviews(3).assign(film="")
    other["review"] = other["review"] + " Still"
    assert len(read_both(*pair(other))[1]) == 200


def test_a_film_that_is_in_both_is_refused(pair: Callable[..., tuple[str, str]]) -> None:
    other = reviews(3)
    other["review"] = other["review"] + " Still"
    assert refusal(read_both, *pair(other)).startswith(
        "3 of 200 test reviews are of films that are trained on (1.5%, at most 1% may be): "
    )


def test_films_that_nobody_knows_are_no_film(kept: Callable[..., str]) -> None:
    train = kept(reviews(40).assign(film=""), "train.csv")
    test = kept(reviews(40, "Test").assign(film=""), "test.csv")
    assert len(read_both(train, test)[0]) == 40


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    from local_s3 import local_s3

    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        bucket = server.bucket(BUCKET)
        for name, table in (("train", reviews(40)), ("test", reviews(40, "Test"))):
            bucket.put_object(Bucket=BUCKET, Key=f"{name}.csv", Body=table.to_csv(index=False))
        bucket.put_object(Bucket=BUCKET, Key="ten.csv", Body=reviews(10).to_csv(index=False))
        yield server


@pytest.fixture
def in_s3(s3_server: LocalS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    s3.client.cache_clear()
    yield monkeypatch
    s3.client.cache_clear()


def test_reviews_are_read_from_s3(in_s3: pytest.MonkeyPatch) -> None:
    """Both of them: the second one's download takes the place of the first one's."""
    train, test = read_both(f"s3://{BUCKET}/train.csv", f"S3://{BUCKET}/test.csv")
    assert train.equals(reviews(40))
    assert test.equals(reviews(40, "Test"))


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("s3://", "'s3://' names no file in S3: "),
        (f"s3://{BUCKET}/", f"'s3://{BUCKET}/' names no file in S3: "),
        (
            f"s3://{BUCKET}/absent.csv",
            f"s3://{BUCKET}/absent.csv cannot be read: the bucket has no",
        ),
        ("s3://nobody-has-it/a.csv", "s3://nobody-has-it/a.csv cannot be read: there is no such b"),
        (f"s3://{BUCKET}/ten.csv", f"s3://{BUCKET}/ten.csv has 10 reviews: give 20 or more"),
    ],
)
def test_what_is_not_in_s3_is_named(in_s3: pytest.MonkeyPatch, place: str, sentence: str) -> None:
    assert refusal(read, place, "train").startswith(sentence)


def test_s3_that_is_away_is_a_sentence(in_s3: pytest.MonkeyPatch) -> None:
    in_s3.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # discard: nobody listens there
    assert "cannot be read: S3 does not answer" in refusal(read, f"s3://{BUCKET}/a.csv", "train")
