"""Pull requests, their files, commits and reviews, and merging."""

from collections.abc import Sequence
from typing import Any

from tutorial.github.changes import changed_files, commits_between, totals
from tutorial.github.conversation import add_review
from tutorial.github.forms import Json
from tutorial.github.movement import merge_pull
from tutorial.github.protection import mergeable_state
from tutorial.github.pulls import (
    change_pull,
    comments_of,
    find_pull,
    form_of,
    list_pulls,
    open_pull,
    reviews_of,
)
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import DEFAULT_BRANCH
from tutorial.github.rest.asking import Ask, Reply, Route, listed
from tutorial.github.rest.commits import commit_form
from tutorial.github.store import Row

ONE = "/repos/{owner}/{repo}/pulls/{number}"
STATES = ("open", "closed", "all")


def whole(ask: Ask, pull: Row) -> Json:
    """Return a pull request as it is when it alone is asked for."""
    added, removed, files = totals(ask.repository, pull)
    merged = pull["merged"] is not None
    return {
        **form_of(ask.store, pull),
        "merged": merged,
        "mergeable": None if pull["state"] == "closed" else bool(pull["mergeable"]),
        "mergeable_state": mergeable_state(ask.store, ask.repository, pull),
        "merged_by": ask.forms.user(pull["merged_by"]) if merged else None,
        "comments": len(comments_of(ask.store, pull["id"])),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "rebaseable": None,
        "commits": len(commits_between(ask.repository, pull)),
        "additions": added,
        "deletions": removed,
        "changed_files": files,
    }


def show_list(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/pulls."""
    state = ask.query.get("state", "open")
    if state not in STATES:
        raise RefusalError(422, f"Validation Failed: `state` is one of {', '.join(STATES)}.")
    rows: Sequence[Row] = list_pulls(ask.store, state)
    if head := ask.query.get("head"):
        rows = [row for row in rows if f"{row['head_owner']}:{row['head_ref']}" == head]
    if base := ask.query.get("base"):
        rows = [row for row in rows if row["base_ref"] == base]
    if ask.query.get("direction") == "asc":
        rows = rows[::-1]
    return listed(ask, rows, lambda row: form_of(ask.store, row))


def create(ask: Ask) -> Reply:
    """POST /repos/OWNER/REPO/pulls."""
    pull, _ = open_pull(
        ask.store,
        ask.actor,
        ask.text("title"),
        ask.text("head"),
        ask.text("base", DEFAULT_BRANCH),
        ask.text("body", ""),
    )
    return Reply(201, whole(ask, pull))


def show(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/pulls/N."""
    return Reply(200, whole(ask, find_pull(ask.store, ask.number("number"))))


def update(ask: Ask) -> Reply:
    """PATCH /repos/OWNER/REPO/pulls/N."""
    state = ask.optional("state")
    if state not in (None, "open", "closed"):
        raise RefusalError(422, "Validation Failed: `state` is one of open, closed.")
    if ask.optional("base") not in (None, find_pull(ask.store, ask.number("number"))["base_ref"]):
        raise RefusalError(422, "The local GitHub does not change a pull request's base.")
    words = (ask.optional("title"), ask.optional("body"))
    pull, _ = change_pull(ask.store, ask.number("number"), ask.actor, *words, state)
    return Reply(200, whole(ask, pull))


def merge(ask: Ask) -> Reply:
    """PUT /repos/OWNER/REPO/pulls/N/merge."""
    if ask.body is None:
        ask.body = {}
    pull, _ = merge_pull(
        ask.store,
        ask.number("number"),
        ask.actor,
        ask.text("merge_method", "merge"),
        ask.optional("sha"),
        ask.optional("commit_title"),
        ask.optional("commit_message"),
    )
    said = {"sha": pull["merge_sha"], "merged": True, "message": "Pull Request successfully merged"}
    return Reply(200, said)


def show_files(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/pulls/N/files."""
    pull = find_pull(ask.store, ask.number("number"))

    def form(file: dict[str, Any]) -> Json:
        place = f"{pull['head_sha']}/{file['filename']}"
        return {
            **file,
            "changes": file["additions"] + file["deletions"],
            "blob_url": f"{ask.forms.pages}/blob/{place}",
            "raw_url": f"{ask.forms.pages}/raw/{place}",
            "contents_url": f"{ask.forms.here}/contents/{file['filename']}?ref={pull['head_sha']}",
        }

    return listed(ask, changed_files(ask.repository, pull), form)


def show_commits(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/pulls/N/commits."""
    found = commits_between(ask.repository, find_pull(ask.store, ask.number("number")))
    return listed(ask, found, lambda sha: commit_form(ask, sha))


def show_reviews(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/pulls/N/reviews."""
    number = find_pull(ask.store, ask.number("number"))["id"]
    return listed(ask, reviews_of(ask.store, number), ask.forms.review)


def review(ask: Ask) -> Reply:
    """POST /repos/OWNER/REPO/pulls/N/reviews."""
    number = find_pull(ask.store, ask.number("number"))["id"]
    made = add_review(ask.store, number, ask.text("event"), ask.text("body", ""), ask.actor)
    return Reply(200, ask.forms.review(made))


READ = ("pull_requests",)
ROUTES = [
    Route("GET", "/repos/{owner}/{repo}/pulls", show_list, READ),
    Route("POST", "/repos/{owner}/{repo}/pulls", create),
    Route("GET", ONE, show, READ),
    Route("PATCH", ONE, update),
    Route("PUT", f"{ONE}/merge", merge),
    Route("GET", f"{ONE}/files", show_files, READ),
    Route("GET", f"{ONE}/commits", show_commits, READ),
    Route("GET", f"{ONE}/reviews", show_reviews, READ),
    Route("POST", f"{ONE}/reviews", review),
]
