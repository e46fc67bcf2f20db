"""What the local GitHub knows: an SQLite file, and a folder of logs."""

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutorial.errors import TutorialError
from tutorial.github.schema import SCHEMA, TABLES

Row = dict[str, Any]
Column = str | int | float | None


class Store:
    """What is written here survives the end of any process. Times are seconds since 1970.

    `status` is queued, pending (waits for its concurrency group), in_progress or completed;
    `conclusion` is success, failure, cancelled or skipped.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        state.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                state / "runs.sqlite", timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise TutorialError(
                f"The runs in {state / 'runs.sqlite'} cannot be read ({error}): move the file away."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, query: str, *values: Column) -> list[Row]:
        """Return what a query selects."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(query, values)]

    def insert(self, table: str, **columns: Column) -> int:
        """Add a row and return its id."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with self._lock:
            done = self._connection.execute(
                f"INSERT INTO {_known(table)} ({names}) VALUES ({marks})",  # noqa: S608
                tuple(columns.values()),
            )
        return int(done.lastrowid or 0)

    def update(self, table: str, identity: int, **columns: Column) -> None:
        """Change a row."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        with self._lock:
            self._connection.execute(
                f"UPDATE {_known(table)} SET {changes} WHERE id = ?",  # noqa: S608
                (*columns.values(), identity),
            )

    def delete(self, table: str, **columns: Column) -> int:
        """Remove the rows that have these values and return how many there were."""
        where = " AND ".join(f"{name} = ?" for name in columns)
        with self._lock:
            done = self._connection.execute(
                f"DELETE FROM {_known(table)} WHERE {where}",  # noqa: S608
                tuple(columns.values()),
            )
        return done.rowcount

    def queue(self, source: bytes, payload: Mapping[str, Any], **columns: Column) -> int:
        """Add a run to the queue and return its id; it has its number within its workflow."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            number = self._connection.execute(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM runs WHERE file = ?", (columns["file"],)
            ).fetchone()[0]
            row: dict[str, Any] = {
                "number": number,
                "source": source,
                "payload": json.dumps(payload),
                "created": time.time(),
                "status": "queued",
                **columns,
            }
            return self.insert("runs", **row)

    def run(self, identity: int) -> Row:
        """Return a run; `TutorialError` where there is none of that id."""
        found = self.rows("SELECT * FROM runs WHERE id = ?", identity)
        if not found:
            raise TutorialError(f"There is no run {identity}: `tutorial actions` lists them.")
        return found[0]

    def runs(self) -> list[Row]:
        """Return all runs, the newest first."""
        return self.rows("SELECT * FROM runs ORDER BY id DESC")

    def jobs(self, run: int) -> list[Row]:
        """Return the jobs of a run, in the order in which they are executed."""
        return self.rows("SELECT * FROM jobs WHERE run = ? ORDER BY id", run)

    def steps(self, job: int) -> list[Row]:
        """Return the steps of a job that have begun or been skipped."""
        return self.rows("SELECT * FROM steps WHERE job = ? ORDER BY number", job)

    def annotations(self, job: int) -> list[Row]:
        """Return the remarks that the steps of a job made."""
        return self.rows("SELECT * FROM annotations WHERE job = ? ORDER BY id", job)

    def deployments(self, environment: str | None = None) -> list[Row]:
        """Return the deployments, to one environment or to all, the newest first."""
        return self.rows(
            "SELECT * FROM deployments WHERE environment = COALESCE(?, environment) ORDER BY id DESC",
            environment,
        )

    def finish(
        self, table: str, identity: int, conclusion: str, problem: str | None = None
    ) -> None:
        """Complete a run or a job."""
        self.update(
            table,
            identity,
            status="completed",
            conclusion=conclusion,
            problem=problem,
            finished=time.time(),
        )

    def cancel_what_was_on(self, problem: str) -> list[int]:
        """Complete as cancelled what was in progress, and return the ids of those runs."""
        now = time.time()
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            cut = [
                row["id"] for row in self.rows("SELECT id FROM runs WHERE status = 'in_progress'")
            ]
            marks = ", ".join("?" * len(cut))
            done = "status = 'completed', conclusion = 'cancelled', finished = ?"
            for table, where in (
                ("steps", f"job IN (SELECT id FROM jobs WHERE run IN ({marks}))"),  # noqa: S608
                ("jobs", f"run IN ({marks})"),
            ):
                self._connection.execute(
                    f"UPDATE {table} SET {done} WHERE status != 'completed' AND {where}",  # noqa: S608
                    (now, *cut),
                )
            self._connection.execute(
                f"UPDATE deployments SET state = 'failure', updated = ? "  # noqa: S608
                f"WHERE state = 'in_progress' AND run IN ({marks})",
                (now, *cut),
            )
            self._connection.execute(
                f"UPDATE runs SET {done}, problem = ? WHERE id IN ({marks})",  # noqa: S608
                (now, problem, *cut),
            )
        return cut

    def requeue(self) -> None:
        """Queue again, in their order, the runs that waited for their concurrency group."""
        with self._lock:
            self._connection.execute("UPDATE runs SET status = 'queued' WHERE status = 'pending'")

    def ask_to_cancel(self, run: int) -> None:
        """Ask the runner to cancel a run; `TutorialError` where it has ended."""
        if self.run(run)["status"] == "completed":
            raise TutorialError(f"Run {run} has ended: there is nothing to cancel.")
        self.update("runs", run, cancel=1)

    def log_file(self, run: int, job: int, step: int) -> Path:
        """Return where the log of a step is."""
        return self.state / "logs" / str(run) / f"{job}-{step:02d}.log"

    def summary_file(self, run: int, job: int, step: int) -> Path:
        """Return where the summary of a step is."""
        return self.state / "logs" / str(run) / f"{job}-{step:02d}.md"


def _known(table: str) -> str:
    if table not in TABLES:
        raise ValueError(table)
    return table
