"""The files that a step writes to speak to the runner: `GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_PATH`."""

from collections.abc import Iterator
from pathlib import Path

LARGEST = 1024 * 1024  # bytes, for each file of a step


class StepFileError(ValueError):
    """A file that cannot be read; the message is a sentence."""


def read_text(path: Path) -> str:
    """Return what a step has written; empty where it removed the file."""
    try:
        if path.stat().st_size > LARGEST:
            raise StepFileError(f"{path.stem} is larger than 1 MB: write less to it.")
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""


def read_pairs(text: str, name: str) -> list[tuple[str, str]]:
    """Return names and values of `name=value` lines and of `name<<END` blocks, in their order."""
    pairs: list[tuple[str, str]] = []
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        if not line:
            continue
        equals, block = line.find("="), line.find("<<")
        if block > 0 and (equals < 0 or block < equals):
            key, end = line[:block], line[block + 2 :]
            if not end:
                raise StepFileError(f"{name} has a `<<` without a delimiter: write `name<<END`.")
            pairs.append((key, _block(lines, end, name)))
        elif equals > 0:
            pairs.append((line[:equals], line[equals + 1 :]))
        else:
            raise StepFileError(f"{name} has the line '{line[:60]}': write `name=value`.")
    return pairs


def _block(lines: Iterator[str], end: str, name: str) -> str:
    taken: list[str] = []
    for line in lines:
        if line == end:
            return "\n".join(taken)
        taken.append(line)
    raise StepFileError(f"{name} has no line '{end[:60]}' to end what it began.")
