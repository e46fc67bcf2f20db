"""The Large Movie Review Dataset (Maas et al., ACL 2011), read out of its archive `aclImdb_v1.tar.gz`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from app.archives import stream
from app.data import DataError

Split = Literal["train", "test"]
Row = tuple[str, str, str]  # review, sentiment, film
SENTIMENTS = {"pos": "positive", "neg": "negative"}
STARS = {"pos": range(7, 11), "neg": range(1, 5)}

# aclImdb/train/pos/200_8.txt is the positive review number 200, which gives 8 stars of 10; line 200,
# counted from 0, of aclImdb/train/urls_pos.txt is the address of its film's page.
REVIEW = re.compile(r"aclImdb/(train|test)/(pos|neg)/(\d{1,9})_(\d{1,2})\.txt", re.ASCII)
PAGES = re.compile(r"aclImdb/(train|test)/urls_(pos|neg)\.txt")
FILM = re.compile(r"/title/(tt\d+)", re.ASCII)
LINE_BREAKS = re.compile(r"\s*(?:<br\s*/?>\s*)+", re.IGNORECASE)
LARGEST_REVIEW = 200_000  # bytes
LARGEST_LIST_OF_PAGES = 20_000_000  # bytes


def read_rows(
    path: Path, split: Split, progress: Callable[[int], object] = lambda _: None
) -> list[Row]:
    """Return the reviews of one half, `<br />` turned into line breaks, sorted by sentiment and number.

    A text that stands in both halves, however it is spaced, is left out of "test", as a model may
    know it by heart; "train" stays as published. The film is IMDb's id, such as "tt0453418", or ""
    where the archive does not tell. `progress` is told how many more bytes of the archive were read.
    Raises `DataError`.
    """
    reviews: dict[tuple[str, str, int], str] = {}
    films: dict[tuple[str, str, int], str] = {}
    for name, content in stream(path, _most_bytes, progress):
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _refused(path, f"{name} is not UTF-8 (byte {error.start})") from None
        if pages := PAGES.fullmatch(name):
            for number, line in enumerate(text.split("\n")):
                film = FILM.search(line)
                films[pages[1], pages[2], number] = film[1] if film else ""
        elif review := REVIEW.fullmatch(name):
            key, stars = (review[1], review[2], int(review[3])), int(review[4])
            if stars not in STARS[review[2]]:
                raise _refused(path, f"{name} has {stars} stars of 10")
            if key in reviews:
                raise _refused(path, f"{name} has the number of another review")
            reviews[key] = LINE_BREAKS.sub("\n", text).strip()
            if not reviews[key]:
                raise _refused(path, f"{name} is empty")
    for half in ("train", "test") if split == "test" else ("train",):
        of = [folder for its_half, folder, _ in reviews if its_half == half]
        if not of.count("pos") == of.count("neg") > 0:
            counts = f"{of.count('pos')} positive and {of.count('neg')} negative reviews"
            raise _refused(path, f"its half `{half}` has {counts}")
    if split == "test":
        known = {_words(text) for (half, *_), text in reviews.items() if half == "train"}
        reviews = {key: text for key, text in reviews.items() if _words(text) not in known}
    return [
        (text, SENTIMENTS[key[1]], films.get(key, ""))
        for key, text in sorted(reviews.items())
        if key[0] == split
    ]


def _most_bytes(name: str) -> int:
    if REVIEW.fullmatch(name):
        return LARGEST_REVIEW
    return LARGEST_LIST_OF_PAGES if PAGES.fullmatch(name) else 0


def _words(text: str) -> str:
    return " ".join(text.split())


def _refused(path: Path, reason: str) -> DataError:
    return DataError(f"{path} was not read, because {reason}: get it again.")
