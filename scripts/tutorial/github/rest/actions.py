"""Runs of workflows, their jobs and artifacts."""

import hashlib
import hmac
import secrets
import time

from tutorial.github.artifacts import artifacts_of
from tutorial.github.forms import Json, maybe_when, node_id, when
from tutorial.github.refusals import not_found
from tutorial.github.rest.asking import Ask, Reply, Route, counted
from tutorial.github.store import Row, Store

ACTIONS = "/repos/{owner}/{repo}/actions"
MINUTE = 60  # seconds for which an address of a download is good
SIGNING = secrets.token_bytes(32)  # such an address does not outlive the process
FILTERS = {"event": "event", "branch": "head_branch", "head_sha": "head_sha"}


def find_run(store: Store, number: int) -> Row:
    """Return a run; 404 where there is none of that id."""
    found = store.rows("SELECT * FROM runs WHERE id = ?", number)
    if not found:
        raise not_found()
    return found[0]


def find_artifact(store: Store, number: int) -> Row:
    """Return an artifact; 404 where there is none of that id."""
    found = store.rows("SELECT * FROM artifacts WHERE id = ?", number)
    if not found:
        raise not_found()
    return found[0]


def show_runs(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/runs."""
    rows = ask.store.runs()
    for name, column in FILTERS.items():
        if name in ask.query:
            rows = [row for row in rows if row[column] == ask.query[name]]
    if status := ask.query.get("status"):
        rows = [row for row in rows if status in (row["status"], row["conclusion"])]
    return counted(ask, "workflow_runs", rows, ask.forms.run)


def show_run(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/runs/ID."""
    return Reply(200, ask.forms.run(find_run(ask.store, ask.number("run"))))


def show_jobs(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/runs/ID/jobs."""
    run = find_run(ask.store, ask.number("run"))
    return counted(ask, "jobs", ask.store.jobs(run["id"]), lambda job: _job(ask, job, run))


def _job(ask: Ask, job: Row, run: Row) -> Json:
    here, page = ask.forms.here, ask.forms.pages
    return {
        "id": job["id"],
        "node_id": node_id("CheckRun", job["id"]),
        "run_id": run["id"],
        "run_url": f"{here}/actions/runs/{run['id']}",
        "run_attempt": 1,
        "workflow_name": run["workflow"],
        "head_branch": run["head_branch"],
        "head_sha": run["head_sha"],
        "name": job["name"],
        "url": f"{here}/actions/jobs/{job['id']}",
        "html_url": f"{page}/actions/runs/{run['id']}/job/{job['id']}",
        "check_run_url": f"{here}/check-runs/{job['id']}",
        "status": job["status"],
        "conclusion": job["conclusion"],
        "created_at": when(run["created"]),
        "started_at": when(job["started"] or run["created"]),
        "completed_at": maybe_when(job["finished"]),
        "labels": [],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
        "steps": [
            {
                "number": step["number"],
                "name": step["name"],
                "status": step["status"],
                "conclusion": step["conclusion"],
                "started_at": maybe_when(step["started"]),
                "completed_at": maybe_when(step["finished"]),
            }
            for step in ask.store.steps(job["id"])
        ],
    }


def show_artifacts(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/runs/ID/artifacts."""
    run = find_run(ask.store, ask.number("run"))
    rows = artifacts_of(ask.store, run["id"])
    if name := ask.query.get("name"):
        rows = [row for row in rows if row["name"] == name]
    return counted(ask, "artifacts", rows, lambda row: ask.forms.artifact(row, run))


def show_artifact(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/artifacts/ID."""
    artifact = find_artifact(ask.store, ask.number("artifact"))
    return Reply(200, ask.forms.artifact(artifact, find_run(ask.store, artifact["run"])))


def lead_to_archive(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/actions/artifacts/ID/zip: an address without a token, good for a minute."""
    artifact = find_artifact(ask.store, ask.number("artifact"))
    until = int(time.time()) + MINUTE
    query = f"until={until}&signature={signature(artifact['id'], until)}"
    place = f"{ask.forms.web}/_artifacts/{artifact['id']}?{query}"
    return Reply(302, None, {"Location": place})


def signature(number: int, until: int) -> str:
    """Return what proves that an address of a download was given out here."""
    return hmac.new(SIGNING, f"{number} {until}".encode(), hashlib.sha256).hexdigest()


READ = ("actions",)
ROUTES = [
    Route("GET", f"{ACTIONS}/runs", show_runs, READ),
    Route("GET", f"{ACTIONS}/runs/{{run}}", show_run, READ),
    Route("GET", f"{ACTIONS}/runs/{{run}}/jobs", show_jobs, READ),
    Route("GET", f"{ACTIONS}/runs/{{run}}/artifacts", show_artifacts, READ),
    Route("GET", f"{ACTIONS}/artifacts/{{artifact}}", show_artifact, READ),
    Route("GET", f"{ACTIONS}/artifacts/{{artifact}}/zip", lead_to_archive, READ),
]
