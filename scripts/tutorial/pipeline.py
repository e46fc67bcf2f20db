"""The runs of the workflow that deploys, as the local GitHub tells of them, and what they prove."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial.cloud.services import github_state
from tutorial.errors import TutorialError
from tutorial.github.listing import run_details
from tutorial.github.store import Store
from tutorial.home import Home

WORKFLOW = "Deploy the app"
# What scripts/deploy.py says when it has gone back: the new release, the old one, and the seconds.
WAY_BACK = re.compile(
    r"v(?P<new>\d+) \(Rollback to v(?P<old>\d+)\) is released.*?v(?P=new) serves, after (?P<seconds>[\d.]+) s",
    re.DOTALL,
)


@dataclass(frozen=True)
class WayBack:
    """A run that went back: the release that it made, the one that this is like, and how long it took."""

    run: int
    new: str
    old: str
    seconds: str


def deploy_runs(home: Home) -> list[dict[str, Any]]:
    """Return the finished runs of the workflow that deploys, with jobs and logs, the newest first."""
    state = github_state(home)
    if not Path(state / "runs.sqlite").is_file():
        return []
    store = Store(state)
    try:
        return [
            run_details(store, int(run["id"]))
            for run in store.runs()
            if run["workflow"] == WORKFLOW and run["status"] == "completed"
        ]
    finally:
        store.close()


def job_of(run: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a run's job by its key in the workflow; raises `TutorialError`."""
    for job in run["jobs"]:
        if job["key"] == key:
            return dict(job)
    raise TutorialError(f"Run {run['id']} has no job {key}: see `tutorial actions {run['id']}`.")


def log_of_job(job: dict[str, Any]) -> str:
    """Return what all steps of a job printed."""
    return "\n".join(step["log"] for step in job["steps"])


def last_way_back(runs: list[dict[str, Any]]) -> WayBack | None:
    """Return the newest way back that a run took and timed, or None."""
    for run in runs:
        for job in run["jobs"]:
            found = WAY_BACK.search(log_of_job(job))
            if found:
                return WayBack(run["id"], f"v{found['new']}", f"v{found['old']}", found["seconds"])
    return None
