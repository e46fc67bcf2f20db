"""Read the members of a tar.gz archive as a stream: nothing is unpacked, and a hostile one is refused."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from app.data import DataError

MOST_MEMBERS = 200_000
MOST_BYTES = 1_000_000_000  # of the whole archive, unpacked
MOST_HEADER_BYTES = 100_000  # between one member's content and the next's
KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)


class _Metered:
    """A stream that gives no more than `left` bytes, as a header may claim any length; it keeps the last."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.given, self.left, self.last = 0, MOST_HEADER_BYTES, b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, tarfile.RECORDSIZE))
        self.given += len(data)
        self.left -= len(data)
        self.last = (self.last + data)[-2 * tarfile.RECORDSIZE :]
        if self.given > MOST_BYTES:
            raise DataError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        if self.left < 0:
            raise DataError("too many bytes stand between two members or after the last")
        return data


def stream(
    path: Path, most_bytes: Callable[[str], int], progress: Callable[[int], object]
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a tar.gz file's members, in its order.

    `most_bytes` gives the size that a file of that name may have; one of 0 is passed over.
    `progress` is told how many more bytes of the archive were read. Refused are links, devices, paths
    that lead out of the archive, a file that stands there twice, sizes and numbers that no corpus has,
    and an archive that is cut, altered or something else, seen at its end at the latest: keep nothing
    before. Raises `DataError`.
    """
    try:
        with path.open("rb") as file:
            yield from _members(file, most_bytes, progress)
    except DataError as error:
        raise DataError(f"{path} was not read, because {error}: get it again.") from None
    # Beside its own errors tarfile raises, on crafted headers, what int(), str() and recursion raise.
    except (
        *(EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError),
        *(ValueError, OverflowError, RecursionError),
    ) as error:
        raise DataError(
            f"{path} is not a whole tar.gz archive ({type(error).__name__}): get it again."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _members(
    file: IO[bytes], most_bytes: Callable[[str], int], progress: Callable[[int], object]
) -> Iterator[tuple[str, bytes]]:
    names: set[str] = set()
    # Not tarfile's own "r|gz": that compares no checksum, and takes a cut file for a short one.
    with gzip.open(file) as plain:
        metered = _Metered(plain)
        with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|") as archive:
            read = 0
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                _check(member, names)
                metered.left = member.size + MOST_HEADER_BYTES
                most = most_bytes(member.name) if member.isfile() else 0
                if member.size > most > 0:
                    raise DataError(f"{member.name!a} is larger than {most:,} bytes")
                content = archive.extractfile(member) if most else None
                if content is not None:
                    yield member.name, content.read()
                progress(file.tell() - read)
                read = file.tell()
            # tarfile takes a header that it cannot read for the end, which is made of zeros.
            rest = metered.last[archive.offset - metered.given :]
        metered.left = MOST_HEADER_BYTES
        while part := metered.read(tarfile.RECORDSIZE):  # to where gzip's checksum stands
            rest += part
        if rest.strip(b"\0"):
            raise DataError("something other than files stands in it")
        progress(file.tell() - read)


def _check(member: tarfile.TarInfo, names: set[str]) -> None:
    name, path = ascii(member.name), PurePosixPath(member.name)
    name = name if len(name) <= 80 else f"{name[:80]}..."
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{name} leads out of it")
    if member.type not in KINDS or member.issparse():
        raise DataError(f"{name} is neither a plain file nor a folder")
    # Here, as tarfile would look for the end of a file of exabytes for years.
    if not 0 <= member.size <= MOST_BYTES:
        raise DataError(f"{name} claims a size that no file of a corpus has")
    if member.isfile() and member.name in names:
        raise DataError(f"{name} stands in it twice")
    names.add(member.name)
    if len(names) > MOST_MEMBERS:
        raise DataError(f"it has more than {MOST_MEMBERS:,} members")
