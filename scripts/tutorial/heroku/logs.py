"""The log of each app: its last 1,500 lines, kept in SQLite, asked for and followed as on Heroku."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

KEPT = 1500  # lines an app
DELAY = 0.2  # seconds until a line is on disk


@dataclass(frozen=True)
class Line:
    """A line of an app's log. `number` counts the app's lines from 1, and never again."""

    number: int
    at: str
    source: str
    process: str
    message: str

    def __str__(self) -> str:
        return f"{self.at} {self.source}[{self.process}]: {self.message}"


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for: of a source (`app`, `heroku`) and a process (`web.1`, `web`, `router`)."""

    source: str | None = None
    process: str | None = None

    def __contains__(self, line: Line) -> bool:
        names = (line.process, line.process.partition(".")[0])
        return self.source in (None, line.source) and (
            self.process is None or self.process in names
        )


class LogBook:
    """All logs. Lines are added from the event loop's own thread."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A line may be lost when the machine dies, not when the platform does.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS lines (app_id TEXT, number INTEGER, at TEXT, source TEXT, "
            "process TEXT, message TEXT, PRIMARY KEY (app_id, number)) WITHOUT ROWID"
        )
        self._lines: dict[str, deque[Line]] = {}
        for app_id, *line in self._db.execute("SELECT * FROM lines ORDER BY app_id, number"):
            self._of(app_id).append(Line(*line))
        self._written = {app_id: lines[-1].number for app_id, lines in self._lines.items()}
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._ending = False
        self._closed = False

    def add(self, app_id: str, source: str, process: str, message: str) -> None:
        """Add a message, with the time; several lines of text are several lines of the log."""
        if self._closed:
            return
        lines = self._of(app_id)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        for text in message.splitlines() or [""]:
            number = lines[-1].number + 1 if lines else 1
            lines.append(Line(number, at, source, process, text))
        for news in self._followers.get(app_id, ()):
            news.set()
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def last(self, app_id: str, count: int, wanted: Wanted) -> list[Line]:
        """Return the last lines that are wanted, oldest first."""
        found = [line for line in self._of(app_id) if line in wanted]
        return found[-count:] if count > 0 else []

    async def follow(self, app_id: str, after: int, wanted: Wanted) -> AsyncIterator[Line]:
        """Give the lines after that number as they come, until the platform stops or the app goes."""
        news = asyncio.Event()
        self._of(app_id)
        self._followers.setdefault(app_id, set()).add(news)
        try:
            while not self._ending and app_id in self._lines:
                news.clear()
                for line in tuple(self._of(app_id)):
                    if line.number > after:
                        missed, after = line.number - after - 1, line.number
                        if missed:
                            yield Line(line.number, line.at, "heroku", "logplex", overflow(missed))
                        if line in wanted:
                            yield line
                if not news.is_set() and not self._ending:
                    await news.wait()
        finally:
            self._followers[app_id].discard(news)

    def end(self, app_id: str) -> int:
        """Return the number of the app's last line, 0 where it has none."""
        lines = self._of(app_id)
        return lines[-1].number if lines else 0

    def remove(self, app_id: str) -> None:
        """Forget an app's log."""
        self._lines.pop(app_id, None)
        self._written.pop(app_id, None)
        self._db.execute("DELETE FROM lines WHERE app_id = ?", (app_id,))
        for news in self._followers.get(app_id, ()):
            news.set()

    def flush(self) -> None:
        """Write what is new, and forget what is too old."""
        self._flush = None
        self._db.execute("BEGIN")
        for app_id, lines in self._lines.items():
            written = self._written.get(app_id, 0)
            if not lines or lines[-1].number == written:
                continue
            rows = [
                (app_id, line.number, line.at, line.source, line.process, line.message)
                for line in lines
                if line.number > written
            ]
            self._db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", rows)
            oldest = lines[0].number
            self._db.execute("DELETE FROM lines WHERE app_id = ? AND number < ?", (app_id, oldest))
            self._written[app_id] = lines[-1].number
        self._db.execute("COMMIT")

    def let_go(self) -> None:
        """End the following of everybody who follows: the platform is about to stop."""
        self._ending = True
        for followers in self._followers.values():
            for news in followers:
                news.set()

    def close(self) -> None:
        """Write all, and close the file: what is added from now on is lost."""
        self._closed = True
        if self._flush is not None:
            self._flush.cancel()
        self.flush()
        self._db.close()

    def _of(self, app_id: str) -> deque[Line]:
        return self._lines.setdefault(app_id, deque(maxlen=KEPT))


def overflow(missed: int) -> str:
    """Say, in Heroku's words, that lines came faster than they were read."""
    return f"Error L10 (output buffer overflow): {missed} messages dropped."
