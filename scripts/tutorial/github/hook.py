"""What the repository does after a push: queue the runs that it selects, and follow them."""

import argparse
import os
import sys
import time
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.github.events import RefChange, queue_push
from tutorial.github.listing import follow
from tutorial.github.repository import Repository
from tutorial.github.runner import is_running
from tutorial.github.site import TRACKING, tracking_prefix
from tutorial.github.store import Store

POLL = 0.1  # seconds
PATIENCE = 10.0  # seconds for a runner to come back
BY_A_JOB = "Pushed by a job: no workflow runs, as with GITHUB_TOKEN on GitHub."
LEFT = "No runner is there: `tutorial up` starts it, and the run goes on then."


def say(line: str) -> None:
    """Print a line to who pushes, at once."""
    print(line, flush=True)


def main() -> int:
    """Return 0: the push is accepted, whatever becomes of the runs."""
    parser = argparse.ArgumentParser(description="The post-receive hook of the local GitHub.")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its state")
    state: Path = parser.parse_args().state
    changes = [RefChange(*line.split()) for line in sys.stdin.read().splitlines()]
    if os.environ.get(TRACKING, "").startswith(tracking_prefix(state)):
        say(BY_A_JOB)
        return 0
    try:
        store, repository = Store(state), Repository(state)
        runs: list[int] = []
        # All are queued before the first is followed: who pushes may leave at any time.
        for change in changes:
            queued = queue_push(store, repository, change)
            runs += queued.runs
            if queued.reason:
                say(queued.reason)
        for run in runs:
            row = store.run(run)
            if row["status"] == "queued":
                say(f"Run {run} of {row['workflow']} is queued: {row['title']}")
        for run in runs:
            _follow(store, run)
    except TutorialError as error:
        say(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who pushed is gone; the runs go on. Nothing more can be printed, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _follow(store: Store, run: int) -> None:
    seen = time.monotonic()
    for line in follow(store, run):
        if line:
            say(line)
            continue
        time.sleep(POLL)
        if is_running(store.state):
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE:
            say(LEFT)
            return


if __name__ == "__main__":
    sys.exit(main())
