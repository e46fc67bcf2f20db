"""What there is to say of runs: for the command, the push that follows along, and tests."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tutorial.github.store import Row, Store

TAIL = 20  # lines that a failing step shows


def run_summary(run: Row) -> dict[str, Any]:
    """Return a run in a few words; `seconds` is None before it has begun."""
    return {
        "id": run["id"],
        "workflow": run["workflow"],
        "number": run["number"],
        "event": run["event"],
        "branch": run["head_branch"],
        "commit": run["head_sha"],
        "title": run["title"],
        "status": run["status"],
        "conclusion": run["conclusion"],
        "problem": run["problem"],
        "created": _when(run["created"]),
        "seconds": _seconds(run),
    }


def run_summaries(store: Store) -> list[dict[str, Any]]:
    """Return all runs, the newest first."""
    return [run_summary(run) for run in store.runs()]


def run_details(store: Store, identity: int, logs: bool = True) -> dict[str, Any]:
    """Return a run with its jobs, steps, logs, remarks and deployments."""
    run = store.run(identity)
    jobs = []
    for job in store.jobs(identity):
        steps = [
            {
                "number": step["number"],
                "name": step["name"],
                "status": step["status"],
                "conclusion": step["conclusion"],
                "seconds": _seconds(step),
                **({"log": step_log(store, identity, job["id"], step["number"])} if logs else {}),
            }
            for step in store.steps(job["id"])
        ]
        remarks = [
            {key: one[key] for key in ("step", "level", "file", "line", "title", "message")}
            for one in store.annotations(job["id"])
        ]
        jobs.append(
            {
                "id": job["id"],
                "key": job["key"],
                "name": job["name"],
                "status": job["status"],
                "conclusion": job["conclusion"],
                "problem": job["problem"],
                "seconds": _seconds(job),
                "steps": steps,
                "annotations": remarks,
                "summary": _summaries(store, identity, job["id"]),
            }
        )
    deployments = [
        {key: one[key] for key in ("environment", "url", "sha", "ref", "state")}
        for one in store.deployments()
        if one["run"] == identity
    ]
    return {**run_summary(run), "jobs": jobs, "deployments": deployments}


def step_log(store: Store, run: int, job: int, step: int) -> str:
    """Return the log of a step; empty where it has none."""
    try:
        return store.log_file(run, job, step).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def tail(store: Store, run: int, job: int, step: int) -> list[str]:
    """Return the last lines of a step's log."""
    try:
        with store.log_file(run, job, step).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line[:300] for line in text.splitlines()[-TAIL:]]


def follow(store: Store, identity: int) -> Iterator[str]:
    """Yield a line for each thing that has happened in a run since the last call, until its end.

    Yields empty strings while nothing happens: the caller waits, and may give up.
    """
    told: set[tuple[str, int]] = set()
    while True:
        # Read first: what is written before the end is told before it.
        run = store.run(identity)
        for job in store.jobs(identity):
            if job["status"] != "queued" and ("job", job["id"]) not in told and job["started"]:
                told.add(("job", job["id"]))
                yield f"  {job['name']}"
            for step in store.steps(job["id"]):
                done = step["status"] == "completed"
                if done and ("step", step["id"]) not in told:
                    told.add(("step", step["id"]))
                    yield f"    {_sign(step)} {step['name']} ({step['conclusion']}, {_seconds(step):.1f} s)"
                    if step["conclusion"] == "failure":
                        lines = tail(store, identity, job["id"], step["number"])
                        yield from (f"      {line}" for line in lines)
            if job["status"] == "completed" and ("end", job["id"]) not in told:
                told.add(("end", job["id"]))
                if job["problem"]:
                    yield f"    {job['problem']}"
                if job["conclusion"] in ("skipped", "cancelled"):
                    yield f"  {job['name']} ({job['conclusion']})"
        if run["status"] == "completed":
            yield conclusion_of(run)
            return
        yield ""


def conclusion_of(run: Row) -> str:
    """Return one line on how a run ended."""
    seconds = _seconds(run)
    took = f" after {seconds:.1f} s" if seconds is not None else ""
    why = f" {run['problem']}" if run["problem"] else ""
    return f"Run {run['id']} of {run['workflow']}: {run['conclusion']}{took}.{why}"


def _sign(step: Row) -> str:
    return {"success": "+", "failure": "x"}.get(step["conclusion"], "-")


def _summaries(store: Store, run: int, job: int) -> str:
    parts = []
    for step in store.steps(job):
        path = store.summary_file(run, job, step["number"])
        if path.is_file():
            parts.append(path.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _seconds(row: Row) -> float | None:
    if row["started"] is None:
        return None
    return round(float(row["finished"] or time.time()) - float(row["started"]), 2)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
