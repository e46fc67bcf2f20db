"""What a pull request changes: commits, files, lines; counted from where the branches parted."""

import re
from typing import Any

from tutorial.github.repository import Repository
from tutorial.github.store import Row

STATUS = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
LONGEST_PATCH = 20_000  # characters of a file's diff
HUNK = re.compile(r"^@@ ", re.MULTILINE)


def _range(repository: Repository, pull: Row) -> tuple[str, str]:
    # Of a merged one, the base as it was then: its head is in the base by now.
    return repository.base(pull["base_sha"], pull["head_sha"]), pull["head_sha"]


def commits_between(repository: Repository, pull: Row) -> list[str]:
    """Return the commits of a pull request, the oldest first."""
    between = f"{pull['base_sha']}..{pull['head_sha']}"
    return repository.git("rev-list", "--reverse", between).decode().split()


def totals(repository: Repository, pull: Row) -> tuple[int, int, int]:
    """Return how many lines are added and removed, and in how many files."""
    files = _numbers(repository, pull)
    return sum(f["additions"] for f in files), sum(f["deletions"] for f in files), len(files)


def changed_files(repository: Repository, pull: Row) -> list[dict[str, Any]]:
    """Return the files: name, status, lines added and removed, blob, and the diff where it is text."""
    before, after = _range(repository, pull)
    found = _numbers(repository, pull)
    words = repository.git("diff", "--raw", "--abbrev=40", "--no-renames", "-z", before, after)
    parts = words.decode("utf-8", "replace").split("\0")
    told = {name: about.split() for about, name in zip(parts[::2], parts[1::2], strict=False)}
    for file in found:
        _, _, _, blob, status = told[file["filename"]]
        file["sha"] = blob
        file["status"] = STATUS.get(status[0], "changed")
        if patch := _patch(repository, before, after, file["filename"]):
            file["patch"] = patch
    return found


def _numbers(repository: Repository, pull: Row) -> list[dict[str, Any]]:
    before, after = _range(repository, pull)
    said = repository.git("diff", "--numstat", "--no-renames", "-z", before, after)
    found = []
    for line in said.decode("utf-8", "replace").split("\0"):
        if line:
            added, removed, name = line.split("\t", 2)
            counts = [int(text) if text.isdecimal() else 0 for text in (added, removed)]
            found.append({"filename": name, "additions": counts[0], "deletions": counts[1]})
    return found


def _patch(repository: Repository, before: str, after: str, name: str) -> str:
    """Return the hunks of a file's diff; empty for what is no text, or too long."""
    command = ("diff", "--no-color", "--no-ext-diff", "--no-renames", before, after, "--")
    text = repository.git(*command, f":(literal){name}").decode("utf-8", "replace")
    first = HUNK.search(text)
    hunks = text[first.start() :].rstrip("\n") if first else ""
    return hunks if len(hunks) <= LONGEST_PATCH else ""
