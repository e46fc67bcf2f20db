"""What the repository does after a push: queue the runs that it selects, and follow them."""

import argparse
import os
import sys
import time
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.github.events import RefChange, queue_push
from tutorial.github.listing import follow
from tutorial.github.movement import pushed
from tutorial.github.people import JOBS, Actor, person
from tutorial.github.repository import OWNER, Repository
from tutorial.github.runner import is_running
from tutorial.github.site import TRACKING, tracking_prefix
from tutorial.github.store import Store

POLL = 0.1  # seconds
PATIENCE = 10.0  # seconds for a runner to come back
LEFT = "No runner is there: `tutorial up` starts it, and the run goes on then."


def say(line: str) -> None:
    """Print a line to who pushes, at once."""
    print(line, flush=True)


def main() -> int:
    """Return 0: the push is accepted, whatever becomes of the runs."""
    parser = argparse.ArgumentParser(description="The post-receive hook of the local GitHub.")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its state")
    parser.add_argument("--owner", default=OWNER, help="whose repository it is")
    options = parser.parse_args()
    state: Path = options.state
    changes = [RefChange(*line.split()) for line in sys.stdin.read().splitlines()]
    by_a_job = os.environ.get(TRACKING, "").startswith(tracking_prefix(state))
    actor = Actor(JOBS) if by_a_job else person(options.owner)
    try:
        store, repository = Store(state), Repository(state, options.owner)
        runs: list[int] = []
        # All are queued before the first is followed: who pushes may leave at any time.
        for change in changes:
            if repository.is_fork:
                say("A push to a fork runs no workflow there.")
            else:
                queued = queue_push(store, repository, change, actor)
                runs += queued.runs
                if queued.reason:
                    say(queued.reason)
            for queued in pushed(store, repository, change, actor):
                runs += queued.runs
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
