"""The reviews of IMDb: read out of an archive of the published layout, or refused with nothing left behind."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import is_one_sentence

from app import archives, corpora, imdb
from app.corpora import CORPORA, labelled
from app.data import DataError
from app.imdb import read_rows

NAME = "aclImdb_v1.tar.gz"
PAGE = "http://www.imdb.com/title/{}/usercomments\n"
FILES = {
    "aclImdb/README": "Large Movie Review Dataset",
    "aclImdb/imdb.vocab": "the\nand\n" * 50_000,
    "aclImdb/test/pos/0_10.txt": "Fine film.<br /><br />See it.",
    "aclImdb/test/pos/1_7.txt": "Known\n by   heart.",
    "aclImdb/test/neg/0_1.txt": "Café noir, mal fait.",
    "aclImdb/test/neg/1_4.txt": "Slow\u0085and long.",
    "aclImdb/test/urls_pos.txt": PAGE.format("tt0000010") + PAGE.format("tt0000011"),
    "aclImdb/test/urls_neg.txt": PAGE.format("tt0000012") * 2,
    "aclImdb/train/pos/0_9.txt": "Known by<br />heart.",
    "aclImdb/train/pos/10_8.txt": "Warm and funny. ",
    "aclImdb/train/neg/2_3.txt": "Dull.",
    "aclImdb/train/neg/0_2.txt": "Awful.",
    "aclImdb/train/unsup/0_0.txt": "Who knows?",
    "aclImdb/train/labeledBow.feat": "9 0:9\n",
    "aclImdb/train/urls_pos.txt": "".join(PAGE.format(f"tt00000{n:02}") for n in range(20, 31)),
}
Change = Callable[[dict[str, str | bytes]], object]


def tar(files: dict[str, str | bytes], *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("aclImdb", "aclImdb/train", "aclImdb/train/pos"):
            archive.addfile(member(folder, tarfile.DIRTYPE))
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = member(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the archive is: as published, but small."""
    path = tmp_path / NAME
    path.write_bytes(zipped(tar(dict(FILES))))
    return path


def test_a_half_is_read_with_its_films(path: Path) -> None:
    assert read_rows(path, "train") == [
        ("Awful.", "negative", ""),
        ("Dull.", "negative", ""),
        ("Known by\nheart.", "positive", "tt0000020"),
        ("Warm and funny.", "positive", "tt0000030"),
    ]


def test_what_was_trained_on_is_not_tested_on_however_it_is_spaced(path: Path) -> None:
    assert read_rows(path, "test") == [
        ("Café noir, mal fait.", "negative", "tt0000012"),
        ("Slow\u0085and long.", "negative", "tt0000012"),
        ("Fine film.\nSee it.", "positive", "tt0000010"),
    ]


def test_without_a_list_of_pages_nobody_can_tell_the_film(path: Path) -> None:
    path.write_bytes(zipped(tar({n: t for n, t in FILES.items() if "urls" not in n})))
    assert {film for *_, film in read_rows(path, "test")} == {""}


def test_the_training_half_alone_can_be_trained_on(path: Path) -> None:
    path.write_bytes(zipped(tar({n: t for n, t in FILES.items() if "/test/" not in n})))
    assert len(read_rows(path, "train")) == 4
    assert "half `test` has 0 positive and 0 negative" in refusal(path, "test")


def test_progress_ends_at_the_files_end(path: Path) -> None:
    told: list[int] = []
    # Not compressed, the zeros at the end are many bytes to come after the last member.
    path.write_bytes(gzip.compress(GOOD + b"\0" * 50_000, compresslevel=0))
    read_rows(path, "train", told.append)
    assert sum(told) == path.stat().st_size
    assert min(told) >= 0


def refusal(path: Path, split: imdb.Split = "test") -> str:
    """What is said of an archive that is refused; nothing else may come to lie beside it."""
    with pytest.raises(DataError) as refused:
        read_rows(path, split)
    message = str(refused.value)
    assert message.startswith(str(path))
    assert is_one_sentence(message.replace(str(path), NAME))
    assert [file.name for file in path.parent.iterdir()] == [NAME]
    return message


GOOD = tar(dict(FILES))
SPARSE = member("aclImdb/x")
SPARSE.pax_headers = {"GNU.sparse.size": "many"}
# Where the header of the last member is, and where the zeros are that a tar archive ends with.
LAST = GOOD.rindex(b"aclImdb/train/urls_pos.txt")
END = len(GOOD.rstrip(b"\0")) // 512 * 512 + 512


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "not a whole tar.gz", id="nothing"),
        pytest.param(b"<html>log in to the wifi</html>", "not a whole tar.gz", id="a page"),
        pytest.param(zipped(b""), "not a whole tar.gz", id="nothing, compressed"),
        pytest.param(zipped(b"no tar archive " * 500), "not a whole tar.gz", id="no tar"),
        pytest.param(GOOD, "not a whole tar.gz", id="not compressed"),
        pytest.param(zipped(GOOD)[:-1], "not a whole tar.gz", id="a byte is missing"),
        pytest.param(zipped(GOOD)[:1000], "not a whole tar.gz", id="cut short"),
        pytest.param(zipped(GOOD)[:-8] + b"\0" * 8, "not a whole tar.gz", id="checksum"),
        pytest.param(zipped(GOOD) + b"more", "not a whole tar.gz", id="something after"),
        pytest.param(zipped(GOOD[: END - 5000]), "", id="cut, and then compressed"),
        pytest.param(
            zipped(GOOD[:LAST] + b"x" * 512 + GOOD[LAST + 512 :]), "other than files", id="a header"
        ),
        pytest.param(
            zipped(tar({}, SPARSE) + GOOD), "not a whole tar.gz", id="a header that makes no sense"
        ),
        pytest.param(zipped(GOOD + b"x" * 512), "other than files", id="behind the end"),
        pytest.param(zipped(GOOD + GOOD), "", id="two archives"),
        pytest.param(zipped(GOOD + b"\0" * 200_000), "too many bytes", id="an end without end"),
    ],
)
def test_what_is_no_whole_archive_is_refused(path: Path, content: bytes, complaint: str) -> None:
    path.write_bytes(content)
    assert complaint in refusal(path)


def test_a_folder_or_nothing_at_all_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing.tar.gz"):
        with pytest.raises(DataError) as refused:
            read_rows(place, "train")
        assert is_one_sentence(str(refused.value))


@pytest.mark.parametrize(
    ("info", "complaint"),
    [
        pytest.param(member("/etc/passwd"), "leads out of it", id="absolute"),
        pytest.param(member("../../up.txt"), "leads out of it", id="above"),
        pytest.param(member("aclImdb/train/../../up"), "leads out of it", id="above, inside"),
        pytest.param(member("..", tarfile.DIRTYPE), "leads out of it", id="a folder above"),
        pytest.param(
            member("aclImdb/train/pos/7_7.txt", tarfile.SYMTYPE, "/etc/passwd"),
            *("neither a plain file",),
            id="a link",
        ),
        pytest.param(
            member("aclImdb/train/pos/7_7.txt", tarfile.LNKTYPE, "aclImdb/train/pos/0_9.txt"),
            *("neither a plain file",),
            id="a hard link",
        ),
        pytest.param(member("aclImdb/x", tarfile.CHRTYPE), "neither a plain file", id="a device"),
        pytest.param(member("aclImdb/x", tarfile.FIFOTYPE), "neither a plain file", id="a pipe"),
        pytest.param(member("aclImdb/x", b"Z"), "neither a plain file", id="something unheard of"),
        pytest.param(member("aclImdb/README"), "'aclImdb/README' stands in it twice", id="twice"),
        pytest.param(member("x" * 5000 + "\n/../y"), "leads out of it", id="a long name"),
    ],
)
def test_a_hostile_member_is_refused(path: Path, info: tarfile.TarInfo, complaint: str) -> None:
    path.write_bytes(zipped(tar(dict(FILES), info)))
    assert complaint in refusal(path)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        pytest.param("test/pos/2_9.txt", b"Caf\xe9", "is not UTF-8 (byte 3)", id="latin-1"),
        pytest.param("train/urls_neg.txt", b"\xff", "is not UTF-8 (byte 0)", id="pages"),
        pytest.param("test/pos/2_9.txt", " <br /> \n", "is empty", id="empty"),
        pytest.param("test/pos/0_9.txt", "Again.", "number of another", id="a number twice"),
        pytest.param("test/pos/2_3.txt", "Bad.", "has 3 stars of 10", id="stars"),
        pytest.param("train/neg/5_0.txt", "Bad.", "has 0 stars of 10", id="no stars"),
        pytest.param("test/pos/2_9.txt", "One more.", "3 positive and 2 negative", id="unbalanced"),
        pytest.param("test/pos/2_9.txt", "x" * 200_001, "larger than 200,000 bytes", id="large"),
    ],
)
def test_a_review_that_cannot_be_is_refused(
    path: Path, name: str, text: str | bytes, complaint: str
) -> None:
    path.write_bytes(zipped(tar({**FILES, f"aclImdb/{name}": text})))
    assert complaint in refusal(path)


@pytest.mark.parametrize("half", ["train", "test"])
def test_a_half_without_reviews_is_refused(path: Path, half: str) -> None:
    """A model is measured on what the training half does not hold: that must be there too."""
    path.write_bytes(zipped(tar({n: t for n, t in FILES.items() if f"/{half}/" not in n})))
    assert f"half `{half}` has 0 positive and 0 negative" in refusal(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 410_000)
    assert "unpacks to more than 410,000 bytes" in refusal(path)


def test_an_archive_of_too_many_members_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    assert "more than 10 members" in refusal(path)


def test_a_header_that_is_as_long_as_it_likes_is_refused(path: Path) -> None:
    info = member("aclImdb/x")
    info.pax_headers = {"comment": "x" * 2_000_000}
    path.write_bytes(zipped(tar({}, info) + GOOD))
    assert "too many bytes stand between" in refusal(path)


@pytest.mark.parametrize("size", [100_000, 2**33, 2**63])
@pytest.mark.parametrize("name", ["aclImdb/train/pos/3_9.txt", "aclImdb/more"])
def test_a_file_that_claims_more_than_there_is_is_refused(path: Path, name: str, size: int) -> None:
    info = member(name)
    info.size = size
    path.write_bytes(zipped(GOOD[:END] + info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512))
    refusal(path)


@given(st.integers(0, END), st.binary(max_size=600), st.integers(0, 600), st.booleans())
def test_whatever_is_changed_the_archive_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, put: bytes, cut: int, inside: bool
) -> None:
    """Of what is compressed itself nothing can change unseen."""
    path = tmp_path_factory.getbasetemp() / "changed.tar.gz"
    whole = GOOD if inside else zipped(GOOD)
    place %= len(whole)
    changed = whole[:place] + put + whole[place + cut :]
    path.write_bytes(zipped(changed) if inside else changed)

    result = rows_or_error(path)

    if isinstance(result, DataError):
        assert is_one_sentence(str(result).replace(str(path), NAME))
    else:
        assert inside or changed == whole or gzip.decompress(changed) == GOOD


def rows_or_error(path: Path) -> list[imdb.Row] | DataError:
    try:
        return read_rows(path, "train")
    except DataError as error:
        return error


@pytest.fixture
def published(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small archive as the one that is published: its digest is the one that is expected."""
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    corpus = replace(CORPORA["imdb"], digest=f"md5:{digest}")
    monkeypatch.setitem(corpora.CORPORA, "imdb", corpus)
    return path


def test_it_is_read_from_a_folder(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPORA_URL", str(published.parent))
    train, test = labelled("imdb", "train"), labelled("imdb", "test")
    assert list(train.columns) == ["review", "sentiment", "film"]
    assert (len(train), len(test)) == (4, 3)
    assert not set(train["review"]) & set(test["review"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served at the address that CORPORA_URL names; what is fetched is kept in `kept`."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("CORPORA_URL", f"http://127.0.0.1:{http.server_port}/")
        monkeypatch.setenv("CORPORA_CACHE", str(tmp_path / "kept"))
        yield folder
        http.shutdown()
        thread.join()


def kept(path: Path) -> list[str]:
    return [file.name for file in (path.parent / "kept").rglob("*") if file.is_file()]


def test_it_is_downloaded_once(
    published: Path, mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published.rename(mirror / NAME)
    pd.testing.assert_frame_equal(labelled("imdb", "train"), labelled("imdb", "train"))
    (mirror / NAME).unlink()
    assert len(labelled("imdb", "test")) == 3
    assert kept(published) == [NAME]


@pytest.mark.parametrize("how", ["cut", "altered", "missing"])
def test_another_file_than_the_published_one_is_not_even_kept(
    published: Path, mirror: Path, how: str
) -> None:
    content = published.read_bytes()
    if how != "missing":
        changed = content[:-100] if how == "cut" else zipped(tar({**FILES, "aclImdb/more": "x"}))
        (mirror / NAME).write_bytes(changed)
    with pytest.raises(DataError) as refused:
        labelled("imdb", "train")
    assert is_one_sentence(str(refused.value).replace("http://127.0.0.1", ""))
    assert ("could not be downloaded" if how == "missing" else "(md5)") in str(refused.value)
    assert kept(published) == []


def test_a_file_in_a_folder_that_is_not_the_published_one_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORPORA_URL", str(path.parent))
    with pytest.raises(DataError, match=r"not the file it should be \(md5\)"):
        labelled("imdb", "train")
