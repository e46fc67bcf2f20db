"""Read labelled reviews, refuse what is not one, and name the data by a digest of its rows."""

import hashlib
import json
from pathlib import Path
from typing import IO

import pandas as pd

COLUMNS = ("review", "sentiment", "film")
SENTIMENTS = ("positive", "negative")


class DataError(ValueError):
    """Data that cannot be used. The message says what is wrong with it and what to do."""


def read_table(file: str | Path | IO[bytes], name: str | None = None) -> pd.DataFrame:
    """Read a UTF-8 CSV that has at least a column `review`; every value is a string, an empty cell is "".

    `name` stands for the file in messages. Raises `DataError`.
    """
    name = name or str(file)
    try:
        table = pd.read_csv(
            file,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            on_bad_lines="error",
        )
    except FileNotFoundError:
        raise DataError(
            f"{name} does not exist: give the path of a CSV file."
        ) from None
    except IsADirectoryError:
        raise DataError(f"{name} is a folder: give the path of a CSV file.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 (byte {error.start}): save it as UTF-8 and try again."
        ) from None
    except pd.errors.EmptyDataError:
        raise DataError(
            f"{name} is empty: it needs a header line with a column `review`."
        ) from None
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(
            f"{name} is not a CSV file that can be read: {str(error).strip()}."
        ) from None
    if "review" not in table.columns:
        raise DataError(
            f"{name} has no column `review`, only {', '.join(map(repr, table.columns[:5]))}: rename one."
        )
    if table.empty:
        raise DataError(f"{name} has a header and no rows: add a review a line.")
    return table


def read_reviews(file: str | Path | IO[bytes], name: str | None = None) -> pd.DataFrame:
    """Read labelled reviews, one a row, in the file's order.

    Columns: `review`, `sentiment` ("positive" or "negative"), `film` ("" where it is unknown).
    Raises `DataError`.
    """
    table, name = read_table(file, name), name or str(file)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"{name} has no column `{missing[0]}`: labelled reviews have {', '.join(COLUMNS)}."
        )
    for row, sentiment in enumerate(table["sentiment"], start=1):
        if sentiment not in SENTIMENTS:
            raise DataError(
                f"{name}, row {row}: the sentiment is {sentiment!r}: write positive or negative."
            )
    for row, review in enumerate(table["review"], start=1):
        if not review.strip():
            raise DataError(
                f"{name}, row {row}: the review is empty: remove the row or write the review."
            )
    return table[list(COLUMNS)]


def in_canonical_order(reviews: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows, so that a file's order changes neither the data's digest nor the model."""
    return reviews.sort_values(list(COLUMNS), kind="stable", ignore_index=True)


def data_digest(reviews: pd.DataFrame) -> str:
    """sha256 (hexadecimal) over the sorted rows: the same reviews, the same digest, in any file."""
    digest = hashlib.sha256()
    for row in in_canonical_order(reviews)[list(COLUMNS)].itertuples(
        index=False, name=None
    ):
        digest.update(json.dumps(row, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
