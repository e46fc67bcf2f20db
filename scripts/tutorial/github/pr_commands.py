"""`tutorial pr`: the pull requests of the local GitHub, as `gh pr` has GitHub's."""

import json
import subprocess
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutorial.cloud.services import github_state
from tutorial.errors import TutorialError
from tutorial.github.checks import latest_runs
from tutorial.github.conversation import add_labels, add_review
from tutorial.github.events import Queued
from tutorial.github.forks import fork
from tutorial.github.forms import COMMENT, Forms
from tutorial.github.movement import merge_pull
from tutorial.github.people import COLLEAGUE, person
from tutorial.github.protection import mergeable_state, what_blocks
from tutorial.github.pulls import (
    change_pull,
    comments_of,
    find_pull,
    form_of,
    labels_of,
    list_pulls,
    open_pull,
    reviews_of,
)
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import DEFAULT_BRANCH, OWNER, Repository, clean_environment, prepare
from tutorial.github.store import Row, Store
from tutorial.home import Home

pr = typer.Typer(
    help="Open, review and merge pull requests.", no_args_is_help=True, rich_markup_mode=None
)
out = Console(highlight=False)
Number = Annotated[int, typer.Argument(min=1, metavar="N", help="Its number.")]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who does it.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
STATES = ("open", "closed", "all")


def _store() -> Store:
    state = github_state(Home.current())
    prepare(state)
    return Store(state)


def _find(store: Store, number: int) -> Row:
    try:
        return find_pull(store, number)
    except RefusalError:
        raise TutorialError(
            f"There is no pull request {number}: `tutorial pr list --state all` shows them."
        ) from None


def _say(text: str) -> None:
    out.print(Text(text), soft_wrap=True)


def _tell(store: Store, queued: Queued) -> None:
    for run in queued.runs:
        _say(f"Run {run} of {store.run(run)['workflow']} is queued.")
    if queued.reason:
        _say(queued.reason)


@pr.command("open")
def open_(
    head: Annotated[str, typer.Option(help="The branch with the change.")],
    title: Annotated[str, typer.Option(help="What the change is, in a line.")],
    body: Annotated[str, typer.Option(help="Why, in Markdown.")] = "",
    base: Annotated[str, typer.Option(help="The branch that it is for.")] = DEFAULT_BRANCH,
    from_fork: Annotated[
        str | None, typer.Option("--fork", metavar="NAME", help="From the fork of this person.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Push it even where it was another before.")] = False,
    as_json: JSON = False,
) -> None:
    """Push a branch of the workspace, to the repository or to a fork, and open a pull request of it.

    Of a branch that has an open one, the push has brought that up to date.
    """
    store = _store()
    place = fork(store.state, from_fork) if from_fork else Repository(store.state)
    owner = from_fork or OWNER
    said = _push(place, head, force)
    for one in list_pulls(store, "open"):
        if (one["head_owner"], one["head_ref"], one["base_ref"]) == (owner, head, base):
            for line in said:
                _say(line)
            _say(f"Pull request {one['id']} of {head} is open already, and up to date now.")
            return
    if not place.has_branch(head):
        raise TutorialError(
            f"There is no branch {head} in the workspace and none in {place.full_name}: commit one first."
        )
    pull, queued = open_pull(store, person(owner), title, f"{owner}:{head}", base, body)
    if as_json:
        _print_json({**form_of(store, pull), "runs": list(queued.runs)})
        return
    for line in said:
        _say(line)
    _say(f"Pull request {pull['id']} is open: {pull['title']}")
    _tell(store, queued)


def _push(place: Repository, branch: str, force: bool) -> list[str]:
    """Push a branch of the workspace, if it has one of that name; return what the push says."""
    home = Home.current()
    command = ["git", "rev-parse", "--quiet", "--verify", f"refs/heads/{branch}"]
    environment = clean_environment()
    if not (home.workspace / ".git").exists():
        return []
    known = subprocess.run(command, cwd=home.workspace, env=environment, capture_output=True)
    if known.returncode:
        return []
    ref = f"refs/heads/{branch}"
    done = subprocess.run(
        ["git", "push", "--quiet", place.url, f"{'+' if force else ''}{ref}:{ref}"],
        cwd=home.workspace,
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    if done.returncode:
        words = [line for line in lines if not line.startswith("remote:")]
        raise TutorialError(
            f"The branch {branch} cannot be pushed to {place.full_name}: "
            f"{words[-1] if words else 'git says nothing'}."
        )
    return [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]


@pr.command("list")
def list_(
    state: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    as_json: JSON = False,
) -> None:
    """List pull requests."""
    if state not in STATES:
        raise TutorialError(f"There is no state {state}: choose from {', '.join(STATES)}.")
    store = _store()
    rows = list_pulls(store, state)
    if as_json:
        _print_json([form_of(store, row) for row in rows])
        return
    table = Table("N", "Title", "Branch", "Author", "State")
    for row in rows:
        cells = (str(row["id"]), row["title"], _branch(row), row["author"], _state(row))
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table if rows else f"There is no pull request that is {state}.")


@pr.command()
def show(number: Number, as_json: JSON = False) -> None:
    """Show a pull request with its checks, reviews and comments."""
    store = _store()
    pull = _find(store, number)
    repository = Repository(store.state)
    checks = [
        {"run": run["id"], "workflow": run["workflow"], "event": run["event"], "job": job["name"],
         "state": job["conclusion"] or job["status"]}
        for run in latest_runs(store, pull["head_sha"])
        for job in store.jobs(run["id"]) or [{"name": "", **run}]
    ]  # fmt: skip
    blocks = what_blocks(store, repository, pull) if pull["state"] == "open" else []
    reviews, comments = reviews_of(store, number), comments_of(store, number)
    if as_json:
        forms = Forms(store.state)
        _print_json(
            {
                **form_of(store, pull),
                "merged": pull["merged"] is not None,
                "mergeable_state": mergeable_state(store, repository, pull),
                "blocked_by": blocks,
                "checks": checks,
                "reviews": [forms.review(one) for one in reviews],
                "comments": [forms.comment(one) for one in comments],
            }
        )
        return
    _say(f"{pull['title']} #{number}: {_state(pull)}")
    _say(f"{pull['author']} wants to merge {_branch(pull)} into {pull['base_ref']}.")
    if labels := labels_of(store, number):
        _say(f"Labels: {', '.join(one['name'] for one in labels)}")
    if pull["body"]:
        _say(f"\n{pull['body']}")
    for check in checks:
        _say(
            f"\n{check['workflow']} ({check['event']}, run {check['run']}) {check['job']}: {check['state']}"
        )
    for one in reviews:
        _say(f"\n{one['author']}, of {one['sha'][:7]}: {one['state']} {one['body']}".rstrip())
    for one in comments:
        _say(f"\n{one['author']} (comment {COMMENT + one['id']}):\n{one['body']}")
    for line in blocks:
        _say(f"\n{line}")


@pr.command()
def approve(
    number: Number,
    body: Annotated[str, typer.Option(help="What you have to say of it.")] = "",
    who: As = COLLEAGUE,
) -> None:
    """Approve the last commit of a pull request."""
    store = _store()
    pull = _find(store, number)
    add_review(store, number, "APPROVE", body, person(who))
    _say(f"{who} has approved {pull['head_sha'][:7]}, the last commit of pull request {number}.")


@pr.command()
def label(number: Number, name: str, who: As = COLLEAGUE) -> None:
    """Put a label on a pull request."""
    store = _store()
    _find(store, number)
    found = add_labels(store, number, [name], person(who))
    _say(f"Pull request {number} has the labels {', '.join(one['name'] for one in found)}.")


@pr.command()
def merge(
    number: Number,
    squash: Annotated[bool, typer.Option(help="As one commit.")] = False,
    who: As = OWNER,
) -> None:
    """Merge a pull request."""
    store = _store()
    _find(store, number)
    pull, queued = merge_pull(store, number, person(who), "squash" if squash else "merge")
    _say(f"Pull request {number} is merged as {pull['merge_sha'][:7]}.")
    _tell(store, queued)


@pr.command()
def close(number: Number, who: As = OWNER) -> None:
    """Close a pull request without merging."""
    store = _store()
    if _find(store, number)["state"] == "closed":
        raise TutorialError(f"Pull request {number} is closed already.")
    _, queued = change_pull(store, number, person(who), state="closed")
    _say(f"Pull request {number} is closed.")
    _tell(store, Queued(queued.runs))


def _branch(pull: Row) -> str:
    owner = pull["head_owner"]
    return str(pull["head_ref"] if owner == OWNER else f"{owner}:{pull['head_ref']}")


def _state(pull: Row) -> str:
    return "merged" if pull["merged"] is not None else str(pull["state"])


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, ensure_ascii=False))
