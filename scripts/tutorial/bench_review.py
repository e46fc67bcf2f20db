"""Figures of milestone 6: how long a pull request waits for its report, a merge for visitors, and going back."""

import subprocess
import sys
import time
from collections.abc import Iterator

from tutorial import cloud
from tutorial.cloud.services import github_state
from tutorial.deployed import live_app
from tutorial.errors import TutorialError
from tutorial.figures import Figure, seconds_of
from tutorial.github.pulls import list_pulls
from tutorial.github.store import Row, Store
from tutorial.home import Home

FALLBACK = "s3://reviews-and-models/models/sentiment.skops"


def review_figures(home: Home) -> Iterator[Figure]:
    """Execute the chapter in a home that has what came before, and measure what it did."""
    seconds_of([6], home)
    store = Store(github_state(home))
    [pull] = [one for one in list_pulls(store, "closed") if one["merged"] is not None]
    train = _first(store, "Train", 0)
    report = _first(store, "Report", train["created"])
    waited = report["finished"] - train["created"]
    yield Figure("a pull request: opened to comment posted", waited, "s", 90)
    promote = _first(store, "Promote", pull["merged"] - 1)
    yield Figure("a merge, to live", promote["finished"] - pull["merged"], "s", 60)
    yield Figure("back to the former champion", _going_back(home), "s", 10)


def _first(store: Store, workflow: str, since: float) -> Row:
    """Return the first run of a workflow that was queued at a time or later, and ended well."""
    for run in sorted(store.runs(), key=lambda each: int(each["id"])):
        if run["workflow"] == workflow and run["created"] >= since and run["finished"]:
            return run
    raise TutorialError(f"No run of {workflow} has ended: see `tutorial actions`.")


def _going_back(home: Home) -> float:
    """Go back and forth; return the seconds of the way back, as long as somebody waits for the command."""
    settings = {"AWS_PROFILE": "trainer", "MODEL_FALLBACK_URI": FALLBACK}
    environment = {**home.environment(), **cloud.environment(home), **settings}
    app = live_app(home)

    def promote(*words: str) -> float:
        command = [sys.executable, "scripts/promote.py", *words, "--wait", app.url]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=home.workspace, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise TutorialError(f"promote.py failed: {done.stderr.strip().splitlines()[-1]}")
        return time.perf_counter() - started

    promote("1", "--why", "to go back from")
    return promote("--rollback", "--why", "a figure")


def fresh_figures(home: Home) -> Iterator[Figure]:
    """Execute all seven in the home, which is empty."""
    yield Figure("all seven notebooks fresh", seconds_of(list(range(7)), home), "s", 600)
