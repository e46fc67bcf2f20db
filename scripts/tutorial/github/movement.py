"""What moves pull requests: pushes to their branches, and merging."""

import json
import time

from tutorial.errors import TutorialError
from tutorial.github.events import Queued, RefChange, queue_push
from tutorial.github.forks import bring
from tutorial.github.merging import METHODS, make_merge
from tutorial.github.people import LOGIN, Actor, person
from tutorial.github.protection import passes_by, rule_of, what_blocks
from tutorial.github.pull_events import queue_pull
from tutorial.github.pulls import (
    alone,
    close_pull,
    find_pull,
    form_of,
    list_pulls,
    refresh,
    reviews_of,
)
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import NOTHING, Repository
from tutorial.github.store import Row, Store


def pushed(store: Store, source: Repository, change: RefChange, actor: Actor) -> list[Queued]:
    """Bring the open pull requests up to date with a push, and queue the runs that this starts.

    A push to a base queues none: only what the merge would be has changed.
    """
    branch = change.branch
    if branch is None:
        return []
    repository = Repository(store.state)
    queued = []
    with alone(store.state):
        for pull in list_pulls(store):
            if (pull["head_owner"], pull["head_ref"]) == (source.owner, branch):
                queued.append(_synchronize(store, repository, source, pull, change, actor))
            elif not source.is_fork and pull["base_ref"] == branch and change.after != NOTHING:
                if repository.is_ancestor(pull["head_sha"], change.after):
                    # As on GitHub: who pushes its commits to the base has merged it.
                    _mark_merged(store, pull, change.after, actor)
                    queued.append(_tell_closed(store, repository, pull["id"], actor))
                    continue
                refresh(store, repository, pull)
    return queued


def _synchronize(
    store: Store,
    repository: Repository,
    source: Repository,
    pull: Row,
    change: RefChange,
    actor: Actor,
) -> Queued:
    if change.after == NOTHING:
        return close_pull(store, repository, pull, actor)
    if change.after == pull["head_sha"]:
        return Queued((), "The pull request is up to date.")
    bring(repository, source, change.after)
    store.update("pulls", pull["id"], head_sha=change.after, updated=time.time())
    rule = rule_of(store, pull["base_ref"]) or {}
    if rule.get("reviews", {}).get("dismiss_stale"):
        for review in reviews_of(store, pull["id"]):
            if review["state"] == "APPROVED":
                store.update("reviews", review["id"], state="DISMISSED")
    pull = refresh(store, repository, find_pull(store, pull["id"]))
    more = {"before": change.before, "after": change.after}
    form = form_of(store, pull)
    return queue_pull(store, repository, pull, form, "synchronize", actor, more)


def merge_pull(
    store: Store,
    number: int,
    actor: Actor,
    method: str = "merge",
    sha: str | None = None,
    title: str | None = None,
    message: str | None = None,
) -> tuple[Row, Queued]:
    """Merge a pull request and queue the runs that this starts.

    `RefusalError` where the branch's rule, a conflict, or a head that is not `sha` any more is in the way.
    """
    actor.demand("contents")
    repository = Repository(store.state)
    if method not in METHODS:
        raise RefusalError(
            405, f"The local GitHub merges by {' or '.join(METHODS)}, not by {method}."
        )
    with alone(store.state):
        pull = find_pull(store, number)
        if pull["state"] == "closed":
            what = "merged" if pull["merged"] else "closed"
            raise RefusalError(405, f"Pull Request is not mergeable: it is {what}.")
        if sha is not None and sha != pull["head_sha"]:
            raise RefusalError(409, "Head branch was modified. Review and try the merge again.")
        heeds = not passes_by(rule_of(store, pull["base_ref"]), actor)
        if heeds and (blocks := what_blocks(store, repository, pull)):
            raise RefusalError(405, " ".join(blocks))
        pull = refresh(store, repository, pull)
        made = make_merge(repository, pull, method, actor.login, title, message)
        if made is None:
            raise RefusalError(
                405,
                "Pull Request is not mergeable: it conflicts with its base, merge that into it first.",
            )
        about = json.dumps({"sha": made, "by": actor.login, "before": pull["base_sha"]})
        store.update("pulls", number, merging=about)
        try:
            ref = f"refs/heads/{pull['base_ref']}"
            repository.git("update-ref", ref, made, pull["base_sha"])
        except TutorialError:
            store.update("pulls", number, merging=None)
            raise RefusalError(
                409, "Base branch was modified. Review and try the merge again."
            ) from None
        queued = _finish(store, repository, find_pull(store, number), actor)
    return find_pull(store, number), queued


def _finish(store: Store, repository: Repository, pull: Row, actor: Actor) -> Queued:
    """Record a merge that is in the base, and queue its runs; what a former attempt did is not done again."""
    about = json.loads(pull["merging"])
    _mark_merged(store, pull, about["sha"], actor)
    change = RefChange(about["before"], about["sha"], f"refs/heads/{pull['base_ref']}")
    begun = "SELECT id FROM runs WHERE event = 'push' AND head_sha = ?"
    runs: tuple[int, ...] = ()
    if not store.rows(begun, about["sha"]):
        runs = queue_push(store, repository, change, actor).runs
    runs += _tell_closed(store, repository, pull["id"], actor).runs
    for other in list_pulls(store):
        if other["base_ref"] == pull["base_ref"]:
            refresh(store, repository, other)
    store.update("pulls", pull["id"], merging=None)
    return Queued(runs)


def _mark_merged(store: Store, pull: Row, sha: str, actor: Actor) -> None:
    now = time.time()
    store.update(
        "pulls",
        pull["id"],
        state="closed",
        merge_sha=sha,
        merged=now,
        merged_by=actor.login,
        closed=now,
        updated=now,
    )


def _tell_closed(store: Store, repository: Repository, number: int, actor: Actor) -> Queued:
    pull = find_pull(store, number)
    return queue_pull(store, repository, pull, form_of(store, pull), "closed", actor)


def settle(store: Store) -> None:
    """Finish what a process that was killed has left: a merge under way, a push that was not heard of."""
    repository = Repository(store.state)
    with alone(store.state):
        for pull in store.rows("SELECT * FROM pulls WHERE merging IS NOT NULL"):
            about = json.loads(pull["merging"])
            if repository.is_ancestor(about["sha"], f"refs/heads/{pull['base_ref']}"):
                by = person(about["by"]) if LOGIN.fullmatch(about["by"]) else Actor(about["by"])
                _finish(store, repository, pull, by)
            else:
                store.update("pulls", pull["id"], merging=None)
        for pull in list_pulls(store):
            source = Repository(store.state, pull["head_owner"])
            ref = f"refs/heads/{pull['head_ref']}"
            there = source.has_branch(pull["head_ref"])
            sha = source.resolve(ref) if there else NOTHING
            if sha != pull["head_sha"]:
                change = RefChange(pull["head_sha"], sha, ref)
                owner = person(pull["head_owner"])
                _synchronize(store, repository, source, pull, change, owner)
            elif repository.resolve(f"refs/heads/{pull['base_ref']}") != pull["base_sha"]:
                refresh(store, repository, pull)
