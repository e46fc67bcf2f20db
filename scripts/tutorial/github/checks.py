"""Checks of a commit: the jobs of its runs, and the statuses that somebody gave it."""

import time

from tutorial.github.forms import Json
from tutorial.github.people import Actor
from tutorial.github.refusals import RefusalError
from tutorial.github.store import Row, Store
from tutorial.github.workflow import read_workflow

STATES = ("error", "failure", "pending", "success")


def latest_runs(store: Store, sha: str) -> list[Row]:
    """Return the runs on a commit, of each workflow and event the newest, those that made way left out."""
    newest: dict[tuple[str, str], Row] = {}
    for run in store.rows("SELECT * FROM runs WHERE head_sha = ? ORDER BY id", sha):
        if run["event"] in ("push", "pull_request"):
            newest[run["file"], run["event"]] = run
    return list(newest.values())


def latest_statuses(store: Store, sha: str) -> list[Row]:
    """Return the statuses of a commit, of each context the newest."""
    rows = store.rows("SELECT * FROM statuses WHERE sha = ? ORDER BY id", sha)
    return list({row["context"].lower(): row for row in rows}.values())


def conclusions(store: Store, sha: str) -> dict[str, list[str | None]]:
    """Return by name how the checks of a commit ended; None for one that has not.

    Where several have one name, all count: a workflow of a pull request cannot outshout another's job.
    """
    found: dict[str, list[str | None]] = {}
    for run in latest_runs(store, sha):
        jobs = store.jobs(run["id"])
        for job in jobs:
            found.setdefault(job["name"], []).append(job["conclusion"])
        if run["status"] != "completed" and not jobs:  # it has not begun
            for name in _names(run):
                found.setdefault(name, []).append(None)
    for status in latest_statuses(store, sha):
        said = None if status["state"] == "pending" else status["state"]
        found.setdefault(status["context"], []).append(said)
    return found


def _names(run: Row) -> list[str]:
    """Return what the jobs of a queued run will be called, as far as its file says it."""
    jobs = read_workflow(run["source"], run["file"]).jobs.values()
    return [job.name.source if job.name and job.name.is_plain else job.key for job in jobs]


def add_status(store: Store, sha: str, given: Json, actor: Actor) -> Row:
    """Give a commit a status."""
    actor.demand("statuses")
    if given.get("state") not in STATES:
        raise RefusalError(422, f"Validation Failed: `state` is one of {', '.join(STATES)}.")
    made = store.insert(
        "statuses",
        sha=sha,
        context=str(given.get("context") or "default"),
        state=given["state"],
        description=given.get("description"),
        url=given.get("target_url"),
        author=actor.login,
        created=time.time(),
    )
    return store.rows("SELECT * FROM statuses WHERE id = ?", made)[0]
