"""Do the repository's secrets stand in what a run left behind, as they are or encoded?"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.github.artifacts import archive_of, artifacts_of
from tutorial.github.masking import forms
from tutorial.github.repository import DEFAULT_BRANCH, Repository
from tutorial.github.store import Row, Store
from tutorial.github.vault import Vault

LARGEST = 100_000_000  # bytes unpacked that are looked through
WORD = 12  # characters: a shorter value that stands in the repository's files, too, is a word
LINE = 8  # characters: a shorter line of a longer value gives nothing away
FRAME = "-----"  # how the first and the last line of a key begin, every key's
# What may stand between the characters of one text: the ends of lines, as they are and as in JSON, and
# what scripts/harmless.py puts between those of an address.
BREAKS = re.compile(rb"\s+|\\[nr]|\xe2\x81\xa0")

Place = tuple[str, bytes]  # where something stands, in part of a sentence, and what


def sought(store: Store) -> tuple[dict[str, set[bytes]], list[str]]:
    """Return the texts that would give each secret away, and the names of those that are plain words.

    A word, a user's name for one, stands in files that anybody may read, so it proves nothing.
    """
    secrets = {name: value for name, value in Vault(store.state).secrets().items() if value.strip()}
    words: list[str] = []
    if short := {name: value for name, value in secrets.items() if len(value) < WORD}:
        files = Repository(store.state).git("archive", "--format=tar", DEFAULT_BRANCH)
        words = sorted(name for name, value in short.items() if value.encode() in files)
    return {name: _texts(secrets[name]) for name in secrets if name not in words}, words


def _texts(secret: str) -> set[bytes]:
    """Return the secret, its lines, and each of them encoded; not what every key has in common."""
    lines = [line.strip() for line in secret.strip().splitlines()]
    common: set[str] = set()
    for line in lines:
        if len(lines) > 1 and (line.startswith(FRAME) or len(line) < LINE):
            common |= forms(line) if line else set()
    return {text.encode("utf-8", "surrogateescape") for text in forms(secret) - common}


def find(secrets: Mapping[str, set[bytes]], places: Iterator[Place]) -> str | None:
    """Say which secret stands where, or return None."""
    for where, content in places:
        for read in (content, BREAKS.sub(b"", content)):
            for name, texts in secrets.items():
                if any(text in read for text in texts):
                    return f"The secret {name} stands in {where}"
    return None


def left_by(store: Store, run: Row) -> Iterator[Place]:
    """Yield all that a run left: what the store says of it, its logs, and what is in its artifacts.

    Raises `TutorialError` where an artifact cannot be looked through.
    """
    about = f"run {run['id']} of {run['workflow']}"
    jobs = store.jobs(run["id"])
    told = [run, *jobs]
    for job in jobs:
        told += [*store.steps(job["id"]), *store.annotations(job["id"])]
    for row in told:
        yield f"the record of {about}", _text(row)
    for path in sorted((store.state / "logs" / str(run["id"])).glob("*")):
        yield f"a log of {about}", path.read_bytes()
    for artifact in artifacts_of(store, run["id"]):
        where = f"the artifact {artifact['name']} of {about}"
        yield where, _text(artifact)
        for content in _unpacked(archive_of(store, artifact), where):
            yield where, content


def _unpacked(archive: Path, where: str) -> Iterator[bytes]:
    """Yield an artifact as it is, in which the names of its files stand, and the files."""
    try:
        if archive.stat().st_size > LARGEST:
            raise TutorialError(f"{where[0].upper()}{where[1:]} is too large to look through.")
        yield archive.read_bytes()
        with zipfile.ZipFile(archive) as opened:
            left = LARGEST
            for entry in opened.infolist():
                with opened.open(entry) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise TutorialError(
                        f"{where[0].upper()}{where[1:]} is too large to look through."
                    )
                yield content
    except TutorialError:
        raise
    except Exception as error:  # whatever a stranger's zip makes the reader of it raise
        why = type(error).__name__
        raise TutorialError(f"{where[0].upper()}{where[1:]} cannot be opened ({why}).") from None


def said_of_pulls(store: Store) -> Iterator[Place]:
    """Yield all that was written on pull requests, by anybody."""
    for pull in store.rows("SELECT * FROM pulls"):
        yield f"the text of pull request #{pull['id']}", _text(pull)
        for table, what in (
            ("comments", "a comment"),
            ("reviews", "a review"),
            ("labels", "a label"),
        ):
            for row in store.rows(f"SELECT * FROM {table} WHERE pull = ?", pull["id"]):  # noqa: S608
                yield f"{what} on pull request #{pull['id']}", _text(row)


def _text(row: Row) -> bytes:
    """Return every value of a row, a line each."""
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
        for value in row.values()
    )
