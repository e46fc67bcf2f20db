"""Labelled reviews by name: the workshop's own, or real ones that are downloaded once and checked."""

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import requests

from app.data import COLUMNS, DataError, read_reviews

Split = Literal["train", "test"]
Row = tuple[str, str, str]  # review, sentiment, film

# Where the archives are published. CORPORA_URL names a mirror of them all instead: the address of a
# folder, or a folder on this machine (forty laptops on one wifi want that).
NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora"
STANFORD = "https://ai.stanford.edu/~amaas/data/sentiment"


@dataclass(frozen=True)
class Corpus:
    """A published archive: its file, how a split's rows are read from that, and whose it is.

    `digest` is what its publisher says of the file, such as "sha256:6e1e...".
    """

    home: str
    archive: str
    digest: str
    rows: Callable[[Path, Split], Iterable[Row]]
    credit: str


def _snippets(path: Path, split: Split) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for suffix, sentiment in (("pos", "positive"), ("neg", "negative")):
            text = archive.read(f"sentence_polarity/rt-polarity.{suffix}").decode("utf-8")
            # Split at "\n" alone: some lines hold U+0085, at which str.splitlines() would cut them.
            yield from ((line.strip(), sentiment, "") for line in text.split("\n") if line.strip())


def _reviews(path: Path, split: Split) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            folder, _, file = name.rpartition("/")
            if file.endswith(".txt") and folder.endswith(("/pos", "/neg")):
                sentiment = "positive" if folder.endswith("/pos") else "negative"
                yield archive.read(name).decode("utf-8").strip(), sentiment, ""


def _imdb(path: Path, split: Split) -> Iterable[Row]:
    # When it is asked for: nothing else needs it.
    from app.imdb import read_rows

    with _bar(path.stat().st_size, f"reading {path.name}") as bar:
        return read_rows(path, split, bar.update)


CORPORA = {
    "snippets": Corpus(
        NLTK,
        "sentence_polarity.zip",
        "sha256:6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
        _snippets,
        "10,662 sentences from film reviews (Pang and Lee, 2005), CC BY 4.0",
    ),
    "reviews": Corpus(
        NLTK,
        "movie_reviews.zip",
        "sha256:a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
        _reviews,
        "2,000 full film reviews (Pang and Lee, 2004), CC BY 4.0",
    ),
    "imdb": Corpus(
        STANFORD,
        "aclImdb_v1.tar.gz",
        "md5:7c2ac02c03563afcf9b574c7e56c153a",
        _imdb,
        "50,000 reviews from IMDb, half of them to test on (Maas et al., 2011), no licence stated",
    ),
}


def labelled(data: str, split: Split) -> pd.DataFrame:
    """Return labelled reviews: those of a corpus, or of the CSV file that `data` names.

    "workshop" has a training and a test set, `data/train.csv` and `data/test.csv`, and so has "imdb";
    the other corpora are one set each, whatever the split. Raises `DataError`.
    """
    if data == "workshop":
        return read_reviews(f"data/{split}.csv")
    if data in CORPORA:
        rows = CORPORA[data].rows(_archive(CORPORA[data]), split)
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    if data.endswith(".csv") or Path(data).exists():
        return read_reviews(data)
    known = ", ".join(["workshop", *CORPORA])
    raise DataError(f"{data!r} is neither a CSV file nor a corpus: give a path, or one of {known}.")


def _archive(corpus: Corpus) -> Path:
    # When they are needed: in a notebook pooch's import warns of widgets that are not there.
    import pooch

    kind, _, digest = corpus.digest.partition(":")
    place = os.environ.get("CORPORA_URL") or corpus.home
    if "://" not in place:
        path = Path(place) / corpus.archive
        if not path.is_file():
            raise DataError(f"CORPORA_URL names the folder {place}, and {path.name} is not in it.")
        if pooch.file_hash(str(path), alg=kind) != digest:
            raise DataError(f"{path} is not the file it should be ({kind}): copy it again.")
        return path
    url = f"{place.rstrip('/')}/{corpus.archive}"
    try:
        # The total is not known yet, and pooch takes a bar without one for none.
        with _bar(1, corpus.archive) as bar:
            return Path(
                pooch.retrieve(
                    url,
                    known_hash=corpus.digest,
                    fname=corpus.archive,
                    path=os.environ.get("CORPORA_CACHE") or pooch.os_cache("film-review-corpora"),
                    downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
                )
            )
    except (requests.RequestException, OSError) as error:
        raise DataError(
            f"{url} could not be downloaded ({type(error).__name__}): check the network, or set "
            "CORPORA_URL to a mirror or to a folder that has the file."
        ) from None
    except ValueError:  # pooch compares the digest before it keeps the file
        raise DataError(
            f"{url} gave a file that is cut short or not the right one ({kind}), and it was thrown "
            "away: try again."
        ) from None


@contextmanager
def _bar(total: int, name: str) -> Iterator[Any]:
    """Show how many of `total` bytes are done; closed before an error's sentence is printed."""
    from tqdm import tqdm

    bar = tqdm(total=total, unit="B", unit_scale=True, desc=name, ncols=79, delay=0.05)
    try:
        yield bar
    finally:
        bar.close()
