"""What is said of pull requests: labels, comments, reviews."""

import time

from tutorial.github.forms import Forms
from tutorial.github.people import JOBS, Actor
from tutorial.github.pull_events import queue_pull
from tutorial.github.pulls import (
    LONGEST,
    alone,
    check_text,
    find_pull,
    form_of,
    labels_of,
)
from tutorial.github.refusals import RefusalError, invalid, not_found
from tutorial.github.repository import Repository
from tutorial.github.store import Row, Store

LABEL = 50  # characters; GitHub's own limit
EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def add_labels(store: Store, number: int, names: list[str], actor: Actor) -> list[Row]:
    """Put labels on a pull request; one that it has stays, and each new one is an event."""
    actor.demand("issues", "pull_requests")
    repository = Repository(store.state)
    with alone(store.state):
        pull = find_pull(store, number)
        for name in names:
            if not name.strip() or len(name) > LABEL:
                raise invalid("Label", "name", f"A label has 1 to {LABEL} characters.")
        for name in names:
            if any(one["name"].lower() == name.lower() for one in labels_of(store, number)):
                continue
            store.insert("labels", pull=number, name=name)
            _labelled(store, repository, pull, name, "labeled", actor)
        return labels_of(store, number)


def remove_label(store: Store, number: int, name: str, actor: Actor) -> list[Row]:
    """Take a label away; `RefusalError` 404 where it is not there."""
    actor.demand("issues", "pull_requests")
    with alone(store.state):
        pull = find_pull(store, number)
        if not store.delete("labels", pull=number, name=name):
            raise RefusalError(404, "Label does not exist")
        _labelled(store, Repository(store.state), pull, name, "unlabeled", actor)
        return labels_of(store, number)


def _labelled(
    store: Store, repository: Repository, pull: Row, name: str, action: str, actor: Actor
) -> None:
    label = Forms(store.state).label({"name": name})
    form = form_of(store, pull)
    queue_pull(store, repository, pull, form, action, actor, {"label": label})


def add_comment(store: Store, number: int, body: str, actor: Actor) -> Row:
    """Write a comment."""
    actor.demand("issues", "pull_requests", anybody=True)
    find_pull(store, number)
    check_text(body, "body", LONGEST)
    now = time.time()
    made = store.insert(
        "comments", pull=number, author=actor.login, body=body, created=now, updated=now
    )
    return find_comment(store, made)


def find_comment(store: Store, identity: int) -> Row:
    """Return a comment; `RefusalError` 404 where it is not there, or no more."""
    found = store.rows("SELECT * FROM comments WHERE id = ?", identity)
    if not found:
        raise not_found()
    return found[0]


def change_comment(store: Store, identity: int, body: str, actor: Actor) -> Row:
    """Write a comment anew: one's own, or any where one may write."""
    _demand_own(find_comment(store, identity), actor)
    check_text(body, "body", LONGEST)
    store.update("comments", identity, body=body, updated=time.time())
    return find_comment(store, identity)


def delete_comment(store: Store, identity: int, actor: Actor) -> None:
    """Remove a comment: one's own, or any where one may write."""
    _demand_own(find_comment(store, identity), actor)
    store.delete("comments", id=identity)


def _demand_own(comment: Row, actor: Actor) -> None:
    if not actor.is_person or comment["author"] != actor.login:
        actor.demand("issues", "pull_requests")


def add_review(store: Store, number: int, event: str, body: str, actor: Actor) -> Row:
    """Approve, ask for changes, or comment, on the last commit."""
    actor.demand("pull_requests", anybody=True)
    if event not in EVENTS:
        raise RefusalError(422, f"A review's event is one of {', '.join(EVENTS)}.")
    if event != "APPROVE":
        check_text(body, "body", LONGEST)
    with alone(store.state):
        pull = find_pull(store, number)
        if event != "COMMENT" and pull["author"] == actor.login:
            what = "approve" if event == "APPROVE" else "request changes on"
            raise RefusalError(422, f"Can not {what} your own pull request")
        if event == "APPROVE" and actor.login == JOBS:
            raise RefusalError(422, "GitHub Actions is not permitted to approve pull requests.")
        if event != "COMMENT" and pull["state"] == "closed":
            raise RefusalError(422, "Can not review a pull request that is closed")
        made = store.insert(
            "reviews",
            pull=number,
            author=actor.login,
            may_write=int(actor.may("contents")),
            state=EVENTS[event],
            body=body,
            sha=pull["head_sha"],
            created=time.time(),
        )
    return store.rows("SELECT * FROM reviews WHERE id = ?", made)[0]
