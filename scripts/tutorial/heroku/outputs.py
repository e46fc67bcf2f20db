"""What builds and release phases print: kept in files, and followed while it grows."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

CHUNK = 1 << 16  # bytes


class Outputs:
    """The outputs below one folder. An output is open while somebody may still add to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._open: set[str] = set()
        self._followers: dict[str, set[asyncio.Event]] = {}

    def open(self, output_id: str) -> None:
        """Begin an output."""
        self._open.add(output_id)
        self._path(output_id).touch(mode=0o600)

    def add(self, output_id: str, line: str) -> None:
        """Add a line."""
        with self._path(output_id).open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{line}\n")
        self._wake(output_id)

    def close(self, output_id: str) -> None:
        """Nothing will be added any more: who follows is told so. The output is on disk."""
        if output_id in self._open:
            with self._path(output_id).open("ab") as file:
                os.fsync(file.fileno())
        self._open.discard(output_id)
        self._wake(output_id)

    def close_all(self) -> None:
        """Let go of everybody who follows."""
        for output_id in tuple(self._open):
            self.close(output_id)

    def remove(self, output_id: str) -> None:
        """Forget an output."""
        self.close(output_id)
        self._path(output_id).unlink(missing_ok=True)

    async def follow(self, output_id: str) -> AsyncIterator[bytes]:
        """Give the output from its beginning, then as it grows, until it is closed."""
        news = asyncio.Event()
        self._followers.setdefault(output_id, set()).add(news)
        try:
            with self._path(output_id).open("rb") as file:
                while True:
                    news.clear()
                    ended = output_id not in self._open
                    while chunk := file.read(CHUNK):
                        yield chunk
                    if ended:
                        return
                    await news.wait()
        except FileNotFoundError:  # it has said nothing yet, and never will
            return
        finally:
            self._followers[output_id].discard(news)
            if not self._followers[output_id]:
                del self._followers[output_id]

    def _wake(self, output_id: str) -> None:
        for news in self._followers.get(output_id, ()):
            news.set()

    def _path(self, output_id: str) -> Path:
        return self._folder / f"{output_id}.txt"
