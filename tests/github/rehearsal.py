"""A reader's repository, the local GitHub it is pushed to, and runs of it: in this process, or by a runner."""

import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from waiting import until

from tutorial.github.events import Queued, RefChange, queue_push
from tutorial.github.groups import Groups
from tutorial.github.listing import run_details
from tutorial.github.repository import NOTHING, prepare
from tutorial.github.run_execution import RunExecution
from tutorial.github.runner import is_running
from tutorial.github.store import Store
from tutorial.github.vault import Vault

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
SETUP_UV = "astral-sh/setup-uv@20cfd1bf945f4377ade1205e4dbc17946fc9a30d"
CACHE = "actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae"
UPLOAD = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"


def workflow(steps: str, name: str = "Test", extra: str = "", job: str = "") -> str:
    """A workflow that every push starts, with one job `one` of these steps."""
    head = f"name: {name}\non: push\n{dedent(extra)}\njobs:\n  one:\n    runs-on: ubuntu-latest\n"
    return head + indent(dedent(job), "    ") + "\n    steps:\n" + indent(dedent(steps), "      ")


class Rehearsal:
    """A state of the local GitHub, and a reader's repository whose `origin` it is."""

    def __init__(self, state: Path, reader: Path) -> None:
        self.state, self.reader = state, reader
        self.repository = prepare(state)
        self.store = Store(state)
        self.vault = Vault(state)
        self._runners: list[subprocess.Popen[bytes]] = []
        reader.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        with (reader / ".git" / "config").open("a", encoding="utf-8") as settings:
            settings.write("[user]\n\tname = A reader\n\temail = reader@localhost\n")
            settings.write(f'[remote "origin"]\n\turl = {self.repository.url}\n')

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.reader, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "A change") -> str:
        """Commit files, those of workflows by their bare names, and return the commit."""
        for name, content in files.items():
            bare = name.endswith(".yml") and "/" not in name
            path = self.reader / (f".github/workflows/{name}" if bare else name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def receive(self, branch: str = "main") -> Queued:
        """Bring the reader's HEAD to a branch of the local GitHub and queue its runs; no hook, no runner."""
        ref = f"refs/heads/{branch}"
        there = self.repository.exists(ref)
        before = self.repository.resolve(ref) if there else NOTHING
        self.repository.git("fetch", "--quiet", str(self.reader), f"+HEAD:{ref}")
        change = RefChange(before, self.repository.resolve(ref), ref)
        return queue_push(self.store, self.repository, change)

    def run(
        self, files: dict[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Commit files, execute the one run that this queues in this process, and return its details."""
        self.commit(files)
        (identity,) = self.receive().runs
        return self.execute(identity, cancelled)

    def execute(self, identity: int, cancelled: threading.Event | None = None) -> dict[str, Any]:
        """Execute a queued run in this process and return its details."""
        row = self.store.run(identity)
        if row["status"] == "queued":
            execution = RunExecution(
                self.store, row, Groups(), threading.Semaphore(2), threading.Event()
            )
            execution.cancelled = cancelled or execution.cancelled
            execution.take_place()
            execution.execute()
        return run_details(self.store, identity)

    def run_steps(self, steps: str, extra: str = "", job: str = "") -> dict[str, Any]:
        """Execute a workflow of one job with these steps."""
        return self.run({"test.yml": workflow(steps, extra=extra, job=job)})

    def start_runner(self) -> "subprocess.Popen[bytes]":
        """Start a runner and wait until it serves."""
        command = [sys.executable, "-m", "tutorial.github.runner", "--state", str(self.state)]
        runner = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._runners.append(runner)
        assert runner.stdout
        assert runner.stdout.readline().startswith(b"The runner serves")
        assert is_running(self.state)
        return runner

    def push(self, branch: str = "main") -> "subprocess.CompletedProcess[str]":
        """Push HEAD to a branch, following the runs; what the hook says is in `stderr`."""
        command = ["git", "push", "origin", f"HEAD:refs/heads/{branch}"]
        return subprocess.run(command, cwd=self.reader, capture_output=True, text=True)

    def ended(self, identity: int) -> dict[str, Any]:
        """Wait for a run's end and return its details."""
        until(lambda: self.store.run(identity)["status"] == "completed", f"run {identity} ends")
        return run_details(self.store, identity)

    def close(self) -> None:
        for runner in self._runners:
            runner.terminate()
            runner.wait(20)
            if runner.stdout:
                runner.stdout.close()
        self.store.close()


def only_job(details: dict[str, Any]) -> dict[str, Any]:
    """The one job of a run."""
    (job,) = details["jobs"]
    found: dict[str, Any] = job
    return found


def log(details: dict[str, Any], step: int = 1) -> list[str]:
    """The lines of a step's log in the run's one job, without those that show the script."""
    text = str(only_job(details)["steps"][step - 1]["log"])
    return [line for line in text.splitlines() if not line.startswith("$ ")]
