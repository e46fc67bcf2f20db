"""Pull requests: found, opened, changed, closed."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutorial.github.events import Queued
from tutorial.github.forks import bring
from tutorial.github.forms import Forms
from tutorial.github.merging import head_ref, try_merge
from tutorial.github.people import JOBS, LOGIN, Actor
from tutorial.github.pull_events import queue_pull
from tutorial.github.refusals import RefusalError, invalid, not_found
from tutorial.github.repository import DEFAULT_BRANCH, OWNER, Repository
from tutorial.github.store import Row, Store

LONGEST = 65_536  # characters of a comment or a body; GitHub's own limit
TITLE = 256  # characters; GitHub's own limit


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Let one process or thread change pull requests at a time; another waits."""
    with (state / "pulls.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_pull(store: Store, number: int) -> Row:
    """Return a pull request; `RefusalError` 404 where there is none of that number."""
    found = store.rows("SELECT * FROM pulls WHERE id = ?", number)
    if not found:
        raise not_found()
    return found[0]


def list_pulls(store: Store, state: str = "open") -> list[Row]:
    """Return the pull requests that are open or closed, or all, the newest first."""
    wanted = "ORDER BY id DESC"
    if state == "all":
        return store.rows(f"SELECT * FROM pulls {wanted}")  # noqa: S608
    return store.rows(f"SELECT * FROM pulls WHERE state = ? {wanted}", state)  # noqa: S608


def labels_of(store: Store, number: int) -> list[Row]:
    """Return the labels of a pull request."""
    return store.rows("SELECT * FROM labels WHERE pull = ? ORDER BY id", number)


def comments_of(store: Store, number: int) -> list[Row]:
    """Return the comments on a pull request, in the order in which they were written."""
    return store.rows("SELECT * FROM comments WHERE pull = ? ORDER BY id", number)


def reviews_of(store: Store, number: int) -> list[Row]:
    """Return the reviews of a pull request, in the order in which they were written."""
    return store.rows("SELECT * FROM reviews WHERE pull = ? ORDER BY id", number)


def form_of(store: Store, pull: Row) -> dict[str, Any]:
    """Return a pull request as a list of them has it."""
    return Forms(store.state).pull(pull, labels_of(store, pull["id"]))


def open_pull(
    store: Store,
    actor: Actor,
    title: str,
    head: str,
    base: str = DEFAULT_BRANCH,
    body: str = "",
) -> tuple[Row, Queued]:
    """Open a pull request of a branch, or of OWNER:BRANCH, and queue its runs."""
    actor.demand("pull_requests", anybody=True)
    if actor.login == JOBS:
        raise RefusalError(
            403, "GitHub Actions is not permitted to create or approve pull requests."
        )
    check_text(title, "title", TITLE)
    check_text(body, "body", LONGEST, may_be_empty=True)
    repository = Repository(store.state)
    owner, _, ref = head.rpartition(":")
    owner = owner or OWNER
    if not repository.has_branch(base):
        raise RefusalError(422, "Validation Failed", _problem("base", "invalid"))
    source = Repository(store.state, owner) if LOGIN.fullmatch(owner) else None
    if source is None or not source.path.is_dir() or not source.has_branch(ref):
        raise RefusalError(422, "Validation Failed", _problem("head", "invalid"))
    with alone(store.state):
        for one in list_pulls(store):
            if (one["head_owner"], one["head_ref"], one["base_ref"]) == (owner, ref, base):
                raise _custom(f"A pull request already exists for {owner}:{ref}.")
        sha = source.resolve(f"refs/heads/{ref}")
        bring(repository, source, sha)
        into = repository.resolve(f"refs/heads/{base}")
        if repository.is_ancestor(sha, into):
            raise _custom(f"No commits between {base} and {ref}")
        now = time.time()
        number = store.insert(
            "pulls",
            title=title.strip(),
            body=body,
            author=actor.login,
            head_owner=owner,
            head_ref=ref,
            head_sha=sha,
            base_ref=base,
            base_sha=into,
            state="open",
            mergeable=0,
            created=now,
            updated=now,
        )
        pull = refresh(store, repository, find_pull(store, number))
        queued = queue_pull(store, repository, pull, form_of(store, pull), "opened", actor)
    return find_pull(store, number), queued


def refresh(store: Store, repository: Repository, pull: Row) -> Row:
    """Make the refs of an open pull request anew, after its head or its base has moved."""
    repository.git("update-ref", head_ref(pull["id"]), pull["head_sha"])
    base = repository.resolve(f"refs/heads/{pull['base_ref']}")
    made = try_merge(repository, pull, base)
    columns: dict[str, Any] = {"base_sha": base, "mergeable": int(made is not None)}
    if made:  # else the former trial stays named, for the runs that have begun on it
        columns["merge_sha"] = made
    store.update("pulls", pull["id"], **columns)
    return find_pull(store, pull["id"])


def change_pull(
    store: Store,
    number: int,
    actor: Actor,
    title: str | None = None,
    body: str | None = None,
    state: str | None = None,
) -> tuple[Row, Queued]:
    """Change the words of a pull request, close it or open it again."""
    repository = Repository(store.state)
    with alone(store.state):
        pull = find_pull(store, number)
        if pull["author"] != actor.login or not actor.is_person:
            actor.demand("pull_requests")
        if title is not None:
            check_text(title, "title", TITLE)
            store.update("pulls", number, title=title.strip(), updated=time.time())
        if body is not None:
            check_text(body, "body", LONGEST, may_be_empty=True)
            store.update("pulls", number, body=body, updated=time.time())
        queued = Queued(())
        pull = find_pull(store, number)
        if title is not None or body is not None:
            form = form_of(store, pull)
            queued = queue_pull(store, repository, pull, form, "edited", actor)
        if state == "closed" and pull["state"] == "open":
            queued = close_pull(store, repository, pull, actor)
        elif state == "open" and pull["state"] == "closed":
            queued = _reopen(store, repository, pull, actor)
        return find_pull(store, number), queued


def close_pull(store: Store, repository: Repository, pull: Row, actor: Actor) -> Queued:
    """Close a pull request that is open; its runs go on."""
    now = time.time()
    store.update("pulls", pull["id"], state="closed", closed=now, updated=now)
    pull = find_pull(store, pull["id"])
    return queue_pull(store, repository, pull, form_of(store, pull), "closed", actor)


def _reopen(store: Store, repository: Repository, pull: Row, actor: Actor) -> Queued:
    if pull["merged"] is not None:
        raise _custom("A merged pull request cannot be opened again.")
    source = Repository(store.state, pull["head_owner"])
    if not source.path.is_dir() or not source.has_branch(pull["head_ref"]):
        raise _custom(f"The branch {pull['head_ref']} is gone: push it again first.")
    sha = source.resolve(f"refs/heads/{pull['head_ref']}")
    bring(repository, source, sha)
    now = time.time()
    store.update("pulls", pull["id"], state="open", closed=None, updated=now, head_sha=sha)
    pull = refresh(store, repository, find_pull(store, pull["id"]))
    return queue_pull(store, repository, pull, form_of(store, pull), "reopened", actor)


def check_text(text: str, field: str, longest: int, may_be_empty: bool = False) -> None:
    """Raise `RefusalError` where a text is empty or longer than `longest` characters."""
    if not text.strip() and not may_be_empty:
        raise invalid("PullRequest", field, f"The {field} is empty: write one.")
    if len(text) > longest:
        words = f"{field.capitalize()} is too long (maximum is {longest} characters)"
        raise invalid("PullRequest", field, words)


def _custom(message: str) -> RefusalError:
    error = {"resource": "PullRequest", "code": "custom", "message": message}
    return RefusalError(422, "Validation Failed", error)


def _problem(field: str, code: str) -> dict[str, str]:
    return {"resource": "PullRequest", "field": field, "code": code}
