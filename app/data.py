"""Read labelled reviews, refuse what is not one, and name the data by a digest of its rows."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import IO

import pandas as pd

COLUMNS = ("review", "sentiment", "film")
csv.field_size_limit(
    10_000_000
)  # characters of a cell: the module's own limit is below a long review
SENTIMENTS = ("positive", "negative")


class DataError(ValueError):
    """Data that cannot be used. The message says what is wrong with it and what to do."""


def read_table(file: str | Path | IO[bytes], name: str | None = None) -> pd.DataFrame:
    """Read a UTF-8 CSV that has at least a column `review`; every cell is the text that it was.

    `name` stands for the file in messages. Raises `DataError`.
    """
    name = name or str(file)
    try:
        content = Path(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header, *body = [(rows.line_num, row) for row in rows if row]
    except FileNotFoundError:
        raise DataError(f"{name} does not exist: give the path of a CSV file.") from None
    except IsADirectoryError:
        raise DataError(f"{name} is a folder: give the path of a CSV file.") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 (byte {error.start}): save it as UTF-8 and try again."
        ) from None
    except csv.Error as error:
        raise DataError(f"{name} is not a CSV file, see line {rows.line_num}: {error}.") from None
    except ValueError:  # no header to take off
        raise DataError(
            f"{name} is empty: it needs a header line with a column `review`."
        ) from None
    names = [cell or f"column {number}" for number, cell in enumerate(header[1], start=1)]
    if "review" not in names:
        found = ", ".join(repr(cell[:20]) for cell in names[:5])
        raise DataError(f"{name} has no column `review`, only {found}: rename one.")
    if len(set(names)) < len(names):
        raise DataError(f"{name} has two columns of one name: rename one of them.")
    if not body:
        raise DataError(f"{name} has a header and no rows: add a review a line.")
    for line, row in body:
        if len(row) > len(names):
            raise DataError(
                f"{name}, line {line} has {len(row)} cells and the header {len(names)}: put a review "
                "with commas between double quotes."
            )
    cells = [row + [""] * (len(names) - len(row)) for _, row in body]
    return pd.DataFrame(cells, columns=names, dtype=str)


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
    for row in in_canonical_order(reviews)[list(COLUMNS)].itertuples(index=False, name=None):
        digest.update(json.dumps(row, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
