"""`tutorial actions`: the runs of the local GitHub."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutorial.cloud.services import github_state
from tutorial.errors import TutorialError
from tutorial.github.hook import LEFT, PATIENCE
from tutorial.github.listing import follow, run_details, run_summaries
from tutorial.github.runner import is_running
from tutorial.github.store import Store
from tutorial.home import Home

POLL = 0.1  # seconds


def actions(
    identity: Annotated[int | None, typer.Argument(metavar="[ID]", help="One run's id.")] = None,
    watch: Annotated[bool, typer.Option(help="Follow a run to its end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs of the workflows, or one run's jobs, steps and logs."""
    state = github_state(Home.current())
    out = Console(highlight=False)
    if not (state / "runs.sqlite").exists():
        if identity is not None or watch:
            raise TutorialError("There is no run yet: push a commit that has a workflow.")
        print(json.dumps([])) if as_json else out.print("There is no run yet.")
        return
    store = Store(state)
    if watch:
        identity = identity if identity is not None else _latest(store)
        _watch(store, identity, None if as_json else out)
    if identity is None:
        runs = run_summaries(store)
        print(_json(runs)) if as_json else out.print(_table(runs))
        return
    details = run_details(store, identity)
    if as_json:
        print(_json(details))
    elif not watch:
        _print_details(out, details)
    if watch and details["conclusion"] not in ("success", "skipped"):
        raise TutorialError(
            f"Run {identity} ended as {details['conclusion']}: `tutorial actions {identity}` shows why."
        )


def _latest(store: Store) -> int:
    runs = store.runs()
    on = [run for run in runs if run["status"] != "completed"]
    if not runs:
        raise TutorialError("There is no run yet: push a commit that has a workflow.")
    return int((on or runs)[0]["id"])


def _watch(store: Store, identity: int, out: Console | None) -> None:
    seen = time.monotonic()
    for line in follow(store, identity):
        if line:
            if out:
                out.print(Text(line), soft_wrap=True)
            continue
        time.sleep(POLL)
        if is_running(store.state):
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE:
            raise TutorialError(LEFT)


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False)


def _table(runs: list[dict[str, Any]]) -> Table:
    table = Table("ID", "Workflow", "Event", "Branch", "Commit", "Title", "State", "Seconds")
    for run in runs:
        seconds = "" if run["seconds"] is None else f"{run['seconds']:.1f}"
        state = run["conclusion"] or run["status"]
        texts = (run["workflow"], run["event"], run["branch"] or "", run["commit"][:7])
        cells = (str(run["id"]), *texts, run["title"], state, seconds)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _print_details(out: Console, run: dict[str, Any]) -> None:
    def line(text: str) -> None:
        out.print(Text(text), soft_wrap=True)

    state = run["conclusion"] or run["status"]
    line(f"Run {run['id']} of {run['workflow']} ({run['event']}, {run['commit'][:7]}): {state}")
    line(run["title"])
    if run["problem"]:
        line(run["problem"])
    for job in run["jobs"]:
        line(f"\n{job['name']}: {job['conclusion'] or job['status']}")
        if job["problem"]:
            line(job["problem"])
        for step in job["steps"]:
            seconds = "" if step["seconds"] is None else f" ({step['seconds']:.1f} s)"
            line(f"  {step['name']}: {step['conclusion'] or step['status']}{seconds}")
            for logged in step["log"].splitlines():
                line(f"    {logged}")
    for one in run["deployments"]:
        line(f"\nDeployment to {one['environment']}: {one['state']} {one['url'] or ''}".rstrip())
