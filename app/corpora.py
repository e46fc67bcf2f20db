"""Labelled reviews by name: the workshop's own, or real ones that are downloaded once and checked."""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import requests

from app.data import COLUMNS, DataError, read_reviews

Split = Literal["train", "test"]
Row = tuple[str, str, str]  # review, sentiment, film

# Branch gh-pages of the GitHub repository nltk/nltk_data. CORPORA_URL names a mirror instead: the
# address of a folder, or a folder on this machine (forty laptops on one wifi want that).
HOME = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora"


@dataclass(frozen=True)
class Corpus:
    """A published archive: its file's name and sha256, how its rows are read, and whose it is."""

    archive: str
    sha256: str
    rows: Callable[[zipfile.ZipFile], Iterator[Row]]
    credit: str


def _snippets(archive: zipfile.ZipFile) -> Iterator[Row]:
    for suffix, sentiment in (("pos", "positive"), ("neg", "negative")):
        text = archive.read(f"sentence_polarity/rt-polarity.{suffix}").decode("utf-8")
        # Split at "\n" alone: some lines hold U+0085, at which str.splitlines() would cut them.
        yield from ((line.strip(), sentiment, "") for line in text.split("\n") if line.strip())


def _reviews(archive: zipfile.ZipFile) -> Iterator[Row]:
    for name in sorted(archive.namelist()):
        folder, _, file = name.rpartition("/")
        if file.endswith(".txt") and folder.endswith(("/pos", "/neg")):
            sentiment = "positive" if folder.endswith("/pos") else "negative"
            yield archive.read(name).decode("utf-8").strip(), sentiment, ""


CORPORA = {
    "snippets": Corpus(
        "sentence_polarity.zip",
        "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
        _snippets,
        "10,662 sentences from film reviews (Pang and Lee, 2005), CC BY 4.0",
    ),
    "reviews": Corpus(
        "movie_reviews.zip",
        "a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
        _reviews,
        "2,000 full film reviews (Pang and Lee, 2004), CC BY 4.0",
    ),
}


def labelled(data: str, split: Split) -> pd.DataFrame:
    """Return labelled reviews: those of a corpus, or of the CSV file that `data` names.

    "workshop" has a training and a test set, `data/train.csv` and `data/test.csv`; the other
    corpora are one set each, whatever the split. Raises `DataError`.
    """
    if data == "workshop":
        return read_reviews(f"data/{split}.csv")
    if data in CORPORA:
        return _read(CORPORA[data], _archive(CORPORA[data]))
    if data.endswith(".csv") or Path(data).exists():
        return read_reviews(data)
    known = ", ".join(["workshop", *CORPORA])
    raise DataError(f"{data!r} is neither a CSV file nor a corpus: give a path, or one of {known}.")


def _archive(corpus: Corpus) -> Path:
    # When they are needed: in a notebook pooch's import warns of widgets that are not there.
    import pooch
    from tqdm import tqdm

    place = os.environ.get("CORPORA_URL") or HOME
    if "://" not in place:
        path = Path(place) / corpus.archive
        if not path.is_file():
            raise DataError(f"CORPORA_URL names the folder {place}, and {path.name} is not in it.")
        if pooch.file_hash(str(path)) != corpus.sha256:
            raise DataError(f"{path} is not the file it should be (sha256): copy it again.")
        return path
    url = f"{place.rstrip('/')}/{corpus.archive}"
    # Closed here whatever happens: an error's sentence must not be followed by half a bar. The
    # total is not known yet, and pooch takes a bar without one for none.
    bar = tqdm(total=1, unit="B", unit_scale=True, desc=corpus.archive, ncols=79, delay=0.05)
    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash=f"sha256:{corpus.sha256}",
                fname=corpus.archive,
                path=os.environ.get("CORPORA_CACHE") or pooch.os_cache("film-review-corpora"),
                downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
            )
        )
    except (requests.RequestException, OSError) as error:
        kind = type(error).__name__
        raise DataError(
            f"{url} could not be downloaded ({kind}): check the network, or set CORPORA_URL to a "
            "mirror or to a folder that has the file."
        ) from None
    except ValueError:  # pooch compares the digest before it keeps the file
        raise DataError(
            f"{url} gave a file that is cut short or not the right one (sha256), and it was thrown "
            "away: try again."
        ) from None
    finally:
        bar.close()


def _read(corpus: Corpus, path: Path) -> pd.DataFrame:
    with zipfile.ZipFile(path) as archive:
        return pd.DataFrame(corpus.rows(archive), columns=list(COLUMNS), dtype=str)
