"""`python -m tutorial.github.runner --state DIR`: executes the queued runs until it is told to end."""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO

from tutorial.errors import TutorialError
from tutorial.github.events import queue_after
from tutorial.github.groups import Groups
from tutorial.github.movement import settle
from tutorial.github.repository import Repository, prepare
from tutorial.github.run_execution import RunExecution
from tutorial.github.site import (
    end_processes,
    ensure_cache_is_named,
    remove_tree,
    tracking_prefix,
)
from tutorial.github.store import Row, Store
from tutorial.github.tokens import revoke_jobs

JOBS = 2  # that run at a time
POLL = 0.1  # seconds between looks at the queue
PATIENCE = 10.0  # seconds for the former runner to let go, and for runs to end
CUT = "The runner ended while this run was on."


class Runner:
    """Takes runs from the queue, several at a time, and executes them in threads."""

    def __init__(self, state: Path) -> None:
        self.repository: Repository = prepare(state)
        self.store = Store(state)
        self.stopped = threading.Event()
        self._groups = Groups()
        self._slots = threading.Semaphore(JOBS)
        self._on: dict[int, tuple[RunExecution, threading.Thread]] = {}

    def recover(self) -> None:
        """Put in order what a runner that was killed has left: its processes, clones and runs."""
        end_processes(tracking_prefix(self.store.state))
        remove_tree(self.store.state / "work")
        revoke_jobs(self.store)
        settle(self.store)
        for identity in self.store.cancel_what_was_on(CUT):
            queue_after(self.store, self.repository, self.store.run(identity), "completed")
        self.store.requeue()

    def serve(self) -> None:
        """Execute runs until `stopped` is set; those that are on then are cancelled."""
        while not self.stopped.wait(POLL):
            for run in self.store.rows("SELECT * FROM runs WHERE status = 'queued' ORDER BY id"):
                self._take(run)
            self._heed_cancels()
            for identity, (_, thread) in list(self._on.items()):
                if not thread.is_alive():
                    del self._on[identity]
        deadline = time.monotonic() + PATIENCE
        for execution, _ in self._on.values():
            execution.cancelled.set()
        for _, thread in self._on.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        self.store.close()

    def _take(self, run: Row) -> None:
        try:
            execution = RunExecution(self.store, run, self._groups, self._slots, self.stopped)
            execution.take_place()
        except TutorialError as error:
            self.store.finish("runs", run["id"], "failure", str(error))
            return
        thread = threading.Thread(target=self._execute, args=(execution,), daemon=True)
        self._on[run["id"]] = (execution, thread)
        thread.start()

    def _execute(self, execution: RunExecution) -> None:
        identity = execution.run["id"]
        try:
            queue_after(self.store, self.repository, self.store.run(identity), "requested")
            execution.execute()
        except Exception as error:  # the runner goes on, and the run says what befell it
            self.store.finish("runs", identity, "failure", f"The runner failed: {error!r}")
        if not self.stopped.is_set():
            queue_after(self.store, self.repository, self.store.run(identity), "completed")

    def _heed_cancels(self) -> None:
        asked = self.store.rows("SELECT id FROM runs WHERE cancel = 1 AND status != 'completed'")
        for row in asked:
            if row["id"] in self._on:
                self._on[row["id"]][0].cancelled.set()


def lock_file(state: Path) -> Path:
    """Return the file that a runner holds locked while it lives."""
    return state / "runner.lock"


def is_running(state: Path) -> bool:
    """Tell whether a runner serves this state."""
    try:
        with lock_file(state).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lock(state: Path) -> IO[bytes]:
    state.mkdir(parents=True, exist_ok=True)
    file = lock_file(state).open("ab")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                raise TutorialError(
                    f"Another runner serves {state}: `tutorial down` ends it."
                ) from None
            time.sleep(POLL)


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    parser = argparse.ArgumentParser(description="Executes the runs of the local GitHub.")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its state")
    state: Path = parser.parse_args().state.resolve()
    os.umask(0o022)
    try:
        with contextlib.closing(_lock(state)):
            ensure_cache_is_named()
            runner = Runner(state)

            def stop(number: int, frame: FrameType | None) -> None:
                runner.stopped.set()

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            runner.recover()
            print(f"The runner serves {state}.", flush=True)
            runner.serve()
    except TutorialError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
