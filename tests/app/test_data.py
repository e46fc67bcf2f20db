"""Labelled reviews: what is refused, and how; what the digest names; what the corpus promises."""

import csv
import gzip
import hashlib
import io
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plain import is_one_sentence

from app.data import COLUMNS, DataError, data_digest, read_reviews, read_table

HEADER = "review,sentiment,film\n"
GOOD = "Fine film,positive,A\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0"


def refusal(path: Path) -> str:
    """What `read_reviews` says of a file that it refuses."""
    with pytest.raises(DataError) as refused:
        read_reviews(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"\n\n\n", "is empty", id="blank lines"),
        pytest.param(b"\xef\xbb\xbf", "is empty", id="only a byte order mark"),
        pytest.param(HEADER.encode(), "no rows", id="only a header"),
        pytest.param((HEADER + "Café,positive,A\n").encode("latin-1"), "not UTF-8", id="latin-1"),
        pytest.param((HEADER + GOOD).encode("utf-16"), "not UTF-8", id="utf-16"),
        pytest.param(PNG, "not UTF-8", id="a picture"),
        pytest.param(gzip.compress((HEADER + GOOD).encode()), "not UTF-8", id="an archive"),
        pytest.param(b"\0" * 10_000, "no column `review`", id="zeros"),
        pytest.param(b"x" * 10_000, "no column `review`", id="one long line"),
        pytest.param(
            (HEADER + GOOD).replace(",", ";").encode(), "no column `review`", id="semicolons"
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)

    message = refusal(path)

    assert message.startswith(f"{path} ")
    assert complaint in message
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        pytest.param(GOOD + "Fine,good,A\n", "row 2: the sentiment is 'good'", id="no label"),
        pytest.param(
            GOOD + "Fine,Positive,A\n", "row 2: the sentiment is 'Positive'", id="a capital"
        ),
        pytest.param(GOOD + "Fine,,A\n", "row 2: the sentiment is ''", id="label is empty"),
        pytest.param(GOOD + "Fine\n", "row 2: the sentiment is ''", id="label is cut off"),
        pytest.param(GOOD + ",positive,A\n", "row 2: the review is empty", id="no review"),
        pytest.param(
            GOOD + '" \t",positive,A\n', "row 2: the review is empty", id="a review of spaces"
        ),
    ],
)
def test_a_bad_row_is_named_by_its_number(tmp_path: Path, rows: str, complaint: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + rows, encoding="utf-8")

    message = refusal(path)

    assert message.startswith(f"{path}, {complaint}")
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        pytest.param(GOOD + "Great, so fine,positive,A\n", "row 2|line 3", id="the second row"),
        pytest.param("Great, so fine,positive,A\n" + GOOD, "row 1|line 2", id="the first row"),
        pytest.param(
            "Great, fine,positive,A\nBad, bad,negative,A\n", "row 1|line 2", id="every row"
        ),
        pytest.param(GOOD + "Great,positive,A,\n", "row 2|line 3", id="a comma at the end"),
        pytest.param(GOOD + '"Never closed,positive,A\n', r"line \d", id="a quote that never ends"),
        pytest.param('Great,positive,"A\n' + GOOD, r"line \d", id="a quote that takes the rest"),
    ],
)
def test_a_row_that_does_not_fit_the_header_is_refused(
    tmp_path: Path, rows: str, place: str
) -> None:
    """A comma in a review without quotes must not cut the review in two."""
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + rows, encoding="utf-8")

    message = refusal(path)

    assert message.startswith(str(path))
    assert re.search(rf"\b({place})\b", message)
    assert is_one_sentence(message)


def test_a_table_for_judging_never_loses_half_a_review() -> None:
    with pytest.raises(DataError, match=r"mine\.csv"):
        read_table(io.BytesIO(b"review\nGreat, fun\nBad, long\n"), "mine.csv")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    path = tmp_path / "mine.csv"
    cells = {"review": "Fine", "sentiment": "positive", "film": "A"}
    del cells[column]
    pd.DataFrame([cells]).to_csv(path, index=False)

    message = refusal(path)

    assert message.startswith(f"{path} has no column `{column}`")
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        pytest.param("nowhere.csv", "does not exist", id="missing"),
        pytest.param("no/where.csv", "does not exist", id="missing folder"),
        pytest.param(".", "is a folder", id="a folder"),
        pytest.param("file.csv/mine.csv", "", id="a file taken for a folder"),
        pytest.param("x" * 300, "", id="a name that is too long"),
    ],
)
def test_a_path_without_a_table_is_refused_in_a_sentence(
    tmp_path: Path, place: str, complaint: str
) -> None:
    (tmp_path / "file.csv").write_text(HEADER + GOOD, encoding="utf-8")

    message = refusal(tmp_path / place)

    assert message.startswith(str(tmp_path / place))
    assert complaint in message
    assert len(place) == 300 or is_one_sentence(message)


def test_of_two_columns_of_one_name_none_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("review,review,sentiment,film\nGood,Bad,positive,A\n")
    assert is_one_sentence(refusal(path))


def test_a_review_may_be_as_long_as_a_novel(tmp_path: Path) -> None:
    path, novel = tmp_path / "mine.csv", "great, long " * 100_000
    path.write_text(f'{HEADER}"{novel}",positive,A\n')
    assert read_reviews(path)["review"].tolist() == [novel]


def test_the_place_of_a_wrong_byte_is_right_in_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    good = (HEADER + GOOD * 30_000).encode()
    path.write_bytes(good + b"Caf\xe9,positive,A\n")

    named = re.search(r"byte (\d+)", refusal(path))

    assert named is None or int(named[1]) == len(good) + 3


def test_an_uploaded_file_is_called_by_its_name() -> None:
    with pytest.raises(DataError, match=r"^mine\.csv "):
        read_table(io.BytesIO(b"text\nFine\n"), "mine.csv")


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda rest: b"review\n" + rest),
        st.text(alphabet='reviw,;"\n\r\0é ').map(str.encode),
        st.text(alphabet='a,"\n').map(lambda rest: f"review,b\n{rest}".encode()),
    )
)
def test_any_bytes_are_a_table_or_an_error_on_one_line(content: bytes) -> None:
    result = table_or_error(content)

    if isinstance(result, DataError):
        assert str(result).startswith("mine.csv")
        assert str(result).isprintable()
    else:
        assert len(result)
        assert all(isinstance(review, str) for review in result["review"])


def table_or_error(content: bytes) -> pd.DataFrame | DataError:
    try:
        return read_table(io.BytesIO(content), "mine.csv")
    except DataError as error:
        return error


texts = st.text(min_size=1).filter(str.strip)
rows = st.tuples(texts, st.sampled_from(("positive", "negative")), st.text())


@given(st.lists(rows, min_size=1))
@example([("NA", "positive", "null"), ("1.50", "negative", "007"), (' a\r\n,"', "positive", "")])
def test_every_cell_is_read_as_it_was_written(
    table: list[tuple[str, str, str]],
) -> None:
    """Not a number, not a missing value: text."""
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *table])

    read = read_reviews(io.BytesIO(file.getvalue().encode()), "mine.csv")

    assert list(read.itertuples(index=False, name=None)) == table


def frame(table: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(table, columns=list(COLUMNS), dtype=str)


@given(st.lists(rows, min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_digest(table, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(table, len(table))
    assert data_digest(frame(shuffled)) == data_digest(frame(table))


@given(st.lists(rows, min_size=1), st.data())
def test_any_change_of_any_cell_changes_the_digest(table, data) -> None:  # type: ignore[no-untyped-def]
    row = data.draw(st.integers(0, len(table) - 1))
    column = data.draw(st.integers(0, 2))
    cell = data.draw(st.text().filter(lambda text: text != table[row][column]))
    changed = [list(cells) for cells in table]
    changed[row][column] = cell

    assert data_digest(frame(changed)) != data_digest(frame(table))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        [("ab", "c", "d"), ("e", "f", "g")],
        [("a", "bc", "d"), ("e", "f", "")],
        [("a", "bcd", ""), ("e", "f", "g")],
        [("a", "bc", "d")],
        [("a", "bc", "d"), ("e", "f", "g"), ("e", "f", "g")],
    ],
)
def test_letters_do_not_move_between_cells_and_rows_count(
    other: list[tuple[str, str, str]],
) -> None:
    assert data_digest(frame(other)) != data_digest(frame([("a", "bc", "d"), ("e", "f", "g")]))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((HEADER + GOOD + "Bad,negative,B\n").replace("\n", "\r\n"), id="line ends"),
        pytest.param("\ufeff" + HEADER + GOOD + "Bad,negative,B\n", id="a byte order mark"),
        pytest.param(
            "film,review,sentiment\nA,Fine film,positive\nB,Bad,negative\n", id="columns' order"
        ),
        pytest.param(
            "id,review,sentiment,film\n7,Fine film,positive,A\n8,Bad,negative,B\n", id="one more"
        ),
        pytest.param(HEADER + '"Fine film","positive","A"\nBad,negative,"B"', id="quotes"),
    ],
)
def test_how_a_file_is_written_does_not_change_the_digest(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.csv").write_bytes(content.encode())
    expected = frame([("Fine film", "positive", "A"), ("Bad", "negative", "B")])
    assert data_digest(read_reviews(tmp_path / "mine.csv")) == data_digest(expected)


def test_the_digest_stays_what_it_was() -> None:
    """Records of models name their data by it: another way to count would orphan them all."""
    lines = b'["Bad", "negative", "B"]\n["Caf\\u00e9", "positive", "A"]\n'
    table = frame([("Café", "positive", "A"), ("Bad", "negative", "B")])
    assert data_digest(table) == hashlib.sha256(lines).hexdigest()


def words_of(review: str) -> list[str]:
    return re.findall(r"\w+(?:['\u2019]\w+)*", review.lower())


def test_the_corpus_is_large_enough_to_tell_a_model_from_luck(
    train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame
) -> None:
    assert len(train_reviews) + len(unseen_reviews) >= 2000
    assert len(unseen_reviews) >= 500
    assert len({*train_reviews["film"], *unseen_reviews["film"]}) >= 250


@pytest.mark.parametrize("split", ["train_reviews", "unseen_reviews"])
def test_both_labels_are_about_as_frequent(split: str, request: pytest.FixtureRequest) -> None:
    table = request.getfixturevalue(split)
    assert 0.45 <= (table["sentiment"] == "positive").mean() <= 0.55


def test_no_film_of_the_test_set_was_trained_on(
    train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame
) -> None:
    assert not set(train_reviews["film"]) & set(unseen_reviews["film"])
    assert "" not in {*train_reviews["film"], *unseen_reviews["film"]}


@pytest.fixture
def whole_corpus(train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame) -> list[str]:
    return [*train_reviews["review"], *unseen_reviews["review"]]


def test_every_review_has_5_to_200_words(whole_corpus: list[str]) -> None:
    lengths = {review: len(review.split()) for review in whole_corpus}
    assert [r for r, length in lengths.items() if not 5 <= length <= 200] == []


def test_no_two_reviews_share_eight_words_in_a_row(whole_corpus: list[str]) -> None:
    """Reviews that are copied from one another would make the test set easy."""
    seen: Counter[tuple[str, ...]] = Counter()
    for words in map(words_of, whole_corpus):
        seen.update({tuple(words[n : n + 8]) for n in range(len(words) - 7)})
    assert [" ".join(run) for run, reviews in seen.items() if reviews > 1] == []


def test_no_opening_is_a_template(whole_corpus: list[str]) -> None:
    openings = Counter(" ".join(words_of(review)[:4]) for review in whole_corpus)
    assert {words: n for words, n in openings.items() if n > 4} == {}


def test_the_corpus_has_many_words(whole_corpus: list[str]) -> None:
    """Its breadth is what a model of it can know of other reviews."""
    assert len({word for review in whole_corpus for word in words_of(review)}) >= 9000
