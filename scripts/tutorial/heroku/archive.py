"""Unpack a tarball that somebody uploaded: inside one folder, within limits, whole or not at all.

Nothing is extracted by `tarfile` itself. Its "data" filter is missing before Python 3.11.4 and could be led out of
the folder until 3.11.13 (CVE-2025-4330, CVE-2025-4517), so names are judged here and files are written here.
"""

import gzip
import lzma
import re
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from tutorial.errors import TutorialError

MAX_FILES = 20_000
MAX_BYTES = 500_000_000  # unpacked
SET_ID = 0o6000
UNFIT = re.compile(r"[\x00-\x1f\x7f]")  # for names


class ArchiveError(TutorialError):
    """A tarball that is not unpacked. The message is one sentence: what is wrong with which member."""


@dataclass
class _Limited:
    """A stream of bytes that ends in an error once more has been read than may be."""

    stream: gzip.GzipFile
    left: int

    def read(self, size: int) -> bytes:
        got = self.stream.read(size)
        self.left -= len(got)
        if self.left < 0:
            raise ArchiveError(
                f"The tarball unpacks to more than {MAX_BYTES // 1_000_000} MB: leave data out of it."
            )
        return got


@contextmanager
def _members(tarball: Path) -> Iterator[tarfile.TarFile]:
    """Open the tarball for one pass from start to end; raises `ArchiveError` for what is no tarball."""
    try:
        with gzip.open(tarball) as stream:
            # Headers and padding come on top of what the files hold.
            limited = cast("IO[bytes]", _Limited(stream, MAX_BYTES + MAX_FILES * 2048))
            with tarfile.open(fileobj=limited, mode="r|") as archive:
                yield archive
            while limited.read(1 << 16):  # the checksum comes last
                pass
    except (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, gzip.BadGzipFile) as error:
        raise ArchiveError(
            f"The tarball is cut off or is no .tar.gz ({error}): upload it again."
        ) from None


def unpack(tarball: Path, folder: Path) -> None:
    """Unpack a .tar.gz into a new folder. Raises `ArchiveError`, and then there is no such folder."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _judge(tarball)
        part.mkdir(parents=True)
        _write(tarball, part)
        part.rename(folder)
    except OSError as error:
        raise ArchiveError(f"The tarball cannot be unpacked: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _judge(tarball: Path) -> None:
    """Read the tarball once and refuse it whole if one of its members is not to be written."""
    kinds: dict[str, str] = {}
    sizes: dict[str, int] = {}
    parents: dict[str, str] = {}
    total = 0
    with _members(tarball) as archive:
        for member in archive:
            name = _name(member.name)
            if name == ".":
                if member.isdir():
                    continue
                raise ArchiveError(f"The tarball's member {member.name!r} has no name.")
            kind = _kind(member, name)
            key = _key(name)
            if kind == "hard link" and kinds.get(_key(_name(member.linkname))) not in (
                "file",
                kind,
            ):
                raise ArchiveError(
                    f"The tarball's hard link {name!r} does not lead to a file in it before it."
                )
            if kinds.get(key, kind) != kind or (kind != "folder" and key in kinds):
                raise ArchiveError(f"The tarball has two members named {name!r}.")
            kinds[key] = kind
            parents.update({_key(str(parent)): name for parent in PurePosixPath(name).parents})
            sizes[key] = member.size
            if kind == "hard link":  # written as one more copy
                sizes[key] = sizes[_key(_name(member.linkname))]
            total += sizes[key]
            if len(kinds) > MAX_FILES:
                raise ArchiveError(f"The tarball has more than {MAX_FILES:,} members.")
            if total > MAX_BYTES:
                raise ArchiveError(
                    f"The tarball unpacks to more than {MAX_BYTES // 1_000_000} MB: leave data out of it."
                )
    # A member below a link would be written to wherever that leads.
    for key, name in parents.items():
        if kinds.get(key, "folder") != "folder":
            raise ArchiveError(f"The tarball's member {name!r} lies below a {kinds[key]}.")


def _name(name: str) -> str:
    """Return the name in its shortest form; raises `ArchiveError` if it does not stay in the folder."""
    if not name or UNFIT.search(name):
        raise ArchiveError(f"The tarball has a member whose name cannot be used: {name!r}.")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"The tarball's member {name!r} leads out of its folder.")
    return str(path)


def _key(name: str) -> str:
    """Return what two names share that some file systems take for one: macOS's does."""
    return unicodedata.normalize("NFC", name).casefold()


def _kind(member: tarfile.TarInfo, name: str) -> str:
    if member.mode & SET_ID:
        raise ArchiveError(
            f"The tarball's member {name!r} is setuid or setgid: nothing here may be."
        )
    if member.isreg():
        return "file"
    if member.isdir():
        return "folder"
    if member.issym():
        # Only at its start may a target go up: from there, below real folders, `..` is what it says.
        target = PurePosixPath(member.linkname)
        up = next((at for at, part in enumerate(target.parts) if part != ".."), len(target.parts))
        depth = len(PurePosixPath(name).parents) - 1
        if (
            target.is_absolute()
            or up > depth
            or ".." in target.parts[up:]
            or UNFIT.search(str(target))
        ):
            raise ArchiveError(f"The tarball's link {name!r} leads out of its folder.")
        return "link"
    if member.islnk():
        return "hard link"
    raise ArchiveError(f"The tarball's member {name!r} is neither a file nor a folder nor a link.")


def _write(tarball: Path, folder: Path) -> None:
    links: list[tuple[Path, PurePosixPath]] = []
    with _members(tarball) as archive:
        for member in archive:
            target = folder / _name(member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.isdir():
                target.mkdir(exist_ok=True)
            elif member.issym():
                links.append((target, PurePosixPath(member.linkname)))
            elif member.islnk():
                shutil.copy(folder / _name(member.linkname), target)
            else:
                content: Any = archive.extractfile(member)
                with target.open("xb") as written:
                    shutil.copyfileobj(content, written)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
    # Last, so that nothing is written through one.
    for target, leads_to in links:
        target.symlink_to(leads_to)
