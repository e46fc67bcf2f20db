"""Read what a service adds to its log, line by line, while supervisord rotates it."""

import os
from pathlib import Path
from typing import BinaryIO


class Tail:
    """The end of a log, which need not be there yet."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._file: BinaryIO | None = None
        self._begun = b""  # a line that has no end yet

    def __enter__(self) -> "Tail":
        """Use it as the context of its open file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def lines(self, unfinished: bool = False) -> list[str]:
        """Return the lines that came since the last call; one without an end only if `unfinished`."""
        text = self._begun + self._added()
        whole, end, self._begun = text.rpartition(b"\n")
        if unfinished:
            whole, self._begun = whole + end + self._begun, b""
        return whole.decode("utf-8", "replace").splitlines()

    def _added(self) -> bytes:
        added = b""
        if self._file:
            if os.fstat(self._file.fileno()).st_size < self._file.tell():
                self._file.seek(0)  # somebody emptied it
            added = self._file.read()
            if self._is_current(self._file):
                return added
            added += self._file.read()  # what was written before it was put aside
            self._file.close()
        try:
            self._file = self._log.open("rb")
        except FileNotFoundError:
            self._file = None
            return added
        return added + self._file.read()

    def _is_current(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._log.stat())
        except FileNotFoundError:
            return False
