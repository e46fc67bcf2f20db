"""What a build may COPY: the unpacked tarball, less what `.dockerignore` leaves out."""

import fnmatch
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from docker.utils import exclude_paths

IGNORE = ".dockerignore"


class CopyError(ValueError):
    """A COPY that cannot be done. The message is a clause without a full stop."""


class BuildContext:
    """A folder, and the paths in it that may be copied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignore = folder / IGNORE
        lines = (
            ignore.read_text(encoding="utf-8", errors="replace").splitlines()
            if ignore.is_file()
            else []
        )
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        # No name in place of the Dockerfile's, which would be let in against what the patterns say.
        kept = {
            str(PurePosixPath(path)) for path in exclude_paths(str(folder), patterns, dockerfile="")
        }
        # Docker's client lets this one in to send it along; it is not for an image.
        self.paths = kept - {IGNORE}

    def copy(
        self, sources: Sequence[str], destination: str, workdir: str, root: Path
    ) -> list[Path]:
        """Copy sources into an image's file system at `root` as COPY does, and return what was written.

        A folder's content is copied, not itself; several sources, or one into a name that ends with `/`, go into
        a folder. Raises `CopyError`.
        """
        found = [match for source in sources for match in self._matches(source)]
        place = PurePosixPath(workdir, destination)
        target = root.joinpath(*_inside(place).parts)
        into = destination.endswith(("/", "/.")) or destination == "." or target.is_dir()
        if len(found) > 1 and not into:
            raise CopyError(
                f"several sources need a destination that ends with /, not {destination!r}"
            )
        written: list[Path] = []
        for source in found:
            path = self.folder / source
            if path.is_dir():
                written += self._copy_folder(source, target, root)
            else:
                to = target / path.name if into else target
                written += _copy_file(path, to, root, follow=True)
        return written

    def _matches(self, source: str) -> list[str]:
        """Return the paths that a source names, by pattern or as it is."""
        pure = PurePosixPath(source.lstrip("/") or ".")
        if ".." in pure.parts:
            raise CopyError(f"{source!r} lies outside of what is built")
        name = str(pure)
        if name == ".":
            return ["."]
        if any(letter in name for letter in "*?["):
            found = [path for path in sorted(self.paths) if _like(PurePosixPath(path), pure)]
        else:
            # A folder counts if something in it does.
            below = any(path.startswith(f"{name}/") for path in self.paths)
            found = [name] if name in self.paths or below else []
        if not found:
            raise CopyError(f"there is no {source!r} in the tarball, or {IGNORE} leaves it out")
        return found

    def _copy_folder(self, source: str, target: Path, root: Path) -> list[Path]:
        prefix = "" if source == "." else f"{source}/"
        written: list[Path] = []
        _make_folder(target, root)
        for path in sorted(path for path in self.paths if path.startswith(prefix)):
            to, origin = target / path[len(prefix) :], self.folder / path
            if origin.is_dir() and not origin.is_symlink():
                _make_folder(to, root)
                written.append(to)
            else:
                written += _copy_file(origin, to, root, follow=False)
        return written


def _inside(place: PurePosixPath) -> PurePosixPath:
    """Return an absolute path of the image without its first slash and without `..`."""
    parts: list[str] = []
    for part in place.parts[1:]:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return PurePosixPath(*parts)


def _like(path: PurePosixPath, pattern: PurePosixPath) -> bool:
    return len(path.parts) == len(pattern.parts) and all(
        fnmatch.fnmatchcase(part, like)
        for part, like in zip(path.parts, pattern.parts, strict=True)
    )


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder of the image; raises `CopyError` if a link leads it out of there, or a file is in the way."""
    if not folder.resolve().is_relative_to(root.resolve()):
        raise CopyError(f"{folder.relative_to(root)} is reached through a link out of the image")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CopyError(f"{folder.relative_to(root)} cannot be made: {error.strerror}") from None


def _copy_file(origin: Path, to: Path, root: Path, follow: bool) -> list[Path]:
    _make_folder(to.parent, root)
    if to.is_dir() and not to.is_symlink():
        raise CopyError(f"{to.relative_to(root)} is a folder already")
    to.unlink(missing_ok=True)
    if origin.is_symlink() and not follow:
        leads_to = origin.readlink()
        if not (to.parent / leads_to).resolve().is_relative_to(root.resolve()):
            raise CopyError(f"the link {origin.name!r} would lead out of the image")
        to.symlink_to(leads_to)
    elif not origin.is_file():
        raise CopyError(f"{origin.name!r} leads to no file")
    else:
        shutil.copy(origin, to)
    return [to]
