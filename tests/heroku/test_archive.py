"""A tarball of a stranger's is unpacked inside one folder, or not at all."""

import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_images import member, write_tarball

from tutorial.heroku import archive
from tutorial.heroku.archive import ArchiveError, unpack

LINK, HARD, FIFO, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE


def test_files_folders_links_and_the_right_to_execute_are_kept(tmp_path: Path) -> None:
    tarball = write_tarball(
        tmp_path / "a.tar.gz",
        member("./", type=tarfile.DIRTYPE),
        member("./app/main.py", b"print()", mode=0o600),
        member("bin/run", b"#!/bin/sh\n", mode=0o755),
        member("empty/", type=tarfile.DIRTYPE),
        member("app/again", type=LINK, linkname="../bin/run"),
        member("copy", type=HARD, linkname="bin/run"),
    )
    unpack(tarball, tmp_path / "out")
    assert (tmp_path / "out/app/main.py").read_bytes() == b"print()"
    assert os.access(tmp_path / "out/bin/run", os.X_OK)
    assert not (tmp_path / "out/app/main.py").stat().st_mode & 0o111
    assert (tmp_path / "out/empty").is_dir()
    assert (tmp_path / "out/app/again").readlink() == Path("../bin/run")
    assert (tmp_path / "out/copy").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([member("../evil")], "leads out"),
        ([member("app/../../evil")], "leads out"),
        ([member("/tmp/evil")], "leads out"),  # noqa: S108
        ([member("a\nb")], "name cannot be used"),
        ([member("out", type=LINK, linkname="../..")], "leads out"),
        ([member("out", type=LINK, linkname="/etc")], "leads out"),
        ([member("a/out", type=LINK, linkname="../../etc/passwd")], "leads out"),
        ([member("a/out", type=LINK, linkname="b/../../..")], "leads out"),
        ([member("h", type=HARD, linkname="../evil")], "leads out"),
        ([member("h", type=HARD, linkname="/etc/passwd")], "leads out"),
        ([member("h", type=HARD, linkname="nothing")], "does not lead to a file"),
        (
            [member("l", type=LINK, linkname="x"), member("h", type=HARD, linkname="l")],
            "does not lead to a file",
        ),
        ([member("d", type=DEVICE)], "neither a file"),
        ([member("p", type=FIFO)], "neither a file"),
        ([member("su", b"x", mode=0o4755)], "setuid"),
        ([member("sg", b"x", mode=0o2755)], "setuid"),
        ([member("l", type=LINK, linkname="d"), member("l/x", b"x")], "below a link"),
        ([member("l/x", b"x"), member("l", type=LINK, linkname="d")], "below a link"),
        ([member("L", type=LINK, linkname="d"), member("l/x", b"x")], "below a link"),
        ([member("f", b"x"), member("f/x", b"x")], "below a file"),
        ([member("f", b"x"), member("F", b"y")], "two members"),
        ([member("f" * 300, b"x")], "cannot be unpacked"),
    ],
)
def test_what_leads_out_or_is_no_file_is_refused_and_nothing_is_left(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], problem: str
) -> None:
    tarball = write_tarball(tmp_path / "a.tar.gz", member("fine", b"fine"), *members)
    with pytest.raises(ArchiveError, match=problem) as refused:
        unpack(tarball, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [tarball]


def test_a_tarball_that_is_cut_off_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = write_tarball(
        tmp_path / "a.tar.gz", member("a", os.urandom(30_000)), member("b", os.urandom(30_000))
    ).read_bytes()
    for length in (0, 5, 100, 20_000, 45_000, len(whole) - 9, len(whole) - 1):
        (tmp_path / "a.tar.gz").write_bytes(whole[:length])
        with pytest.raises(ArchiveError, match="cut off"):
            unpack(tmp_path / "a.tar.gz", tmp_path / "out")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", [b"not a tarball", gzip.compress(b"no tar inside" * 100, mtime=0)]
)
def test_what_is_no_tarball_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"is no \.tar\.gz"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(archive, "MAX_FILES", 50)
    zeros = bytes(600_000)
    bombs = [
        [member("a", zeros), member("b", zeros)],
        [member("a", zeros), member("b", type=HARD, linkname="a")],
        [member(f"file-{number}") for number in range(51)],
    ]
    for members in bombs:
        tarball = write_tarball(tmp_path / "a.tar.gz", *members)
        with pytest.raises(ArchiveError, match="more than"):
            unpack(tarball, tmp_path / "out")
        assert list(tmp_path.iterdir()) == [tarball]


def test_a_bomb_in_what_describes_a_member_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a header that is larger than everything may be
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(archive, "MAX_FILES", 50)
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 5_000_000
    raw = header.tobuf() + bytes(5_000_192)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(ArchiveError, match="more than 1 MB"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


PARTS = st.sampled_from(["a", "b", "A", "..", ".", "", "/", "é", "e\u0301", "\0", " ", "c" * 40])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
MEMBERS = st.lists(
    st.tuples(
        NAMES,
        NAMES,
        st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, LINK, HARD]),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(MEMBERS)
def test_whatever_the_names_nothing_gets_out(members: list[tuple[str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as sandbox:
        outer = Path(sandbox).resolve()
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as written:
            for name, leads_to, kind in members:
                info, text = member(name, b"x" if kind == tarfile.REGTYPE else b"", type=kind)
                info.linkname = leads_to
                written.addfile(info, io.BytesIO(text))
        (outer / "a.tar.gz").write_bytes(content.getvalue())
        out = outer / "deep" / "deeper" / "out"
        out.parent.mkdir(parents=True)
        try:
            unpack(outer / "a.tar.gz", out)
        except ArchiveError:
            assert not out.exists()
        else:
            for path in out.rglob("*"):
                # A link that leads to itself cannot be resolved, and cannot lead out.
                leads_to = Path(os.path.realpath(path))
                assert leads_to.is_relative_to(out)
        there = {
            str(path.relative_to(outer)) for path in outer.rglob("*") if out not in path.parents
        }
        assert there - {"deep/deeper/out"} == {"a.tar.gz", "deep", "deep/deeper"}
