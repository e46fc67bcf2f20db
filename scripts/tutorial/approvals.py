"""Who approved the model that is live: what its version says, held against the local GitHub's reviews."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tutorial.cloud.services import github_state
from tutorial.errors import TutorialError
from tutorial.github.pulls import find_pull, reviews_of
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import Repository
from tutorial.github.store import Row, Store
from tutorial.home import Home
from tutorial.tracking.api import Version

TRAIN = ".github/workflows/train.yml"
BY_PULL_REQUEST = re.compile(r"pull request #(\d{1,9})")  # what promote.yml gives as the reason


@dataclass(frozen=True)
class Approval:
    """A merged pull request, and who approved the last commit of it."""

    pull: Row
    people: tuple[str, ...]

    @property
    def number(self) -> int:
        """The pull request's number."""
        return int(self.pull["id"])


@contextmanager
def local_github(home: Home) -> Iterator[Store]:
    """Give what this home's local GitHub knows. Raises `TutorialError` where there is none."""
    state = github_state(home)
    if not (state / "runs.sqlite").is_file():
        raise TutorialError("There is no local GitHub here, and no other is asked.")
    store = Store(state)
    try:
        yield store
    finally:
        store.close()


def approval_of(store: Store, version: Version) -> Approval:
    """Return who approved a version, and where. Raises `TutorialError`, which says why nobody did.

    What the version says of itself anybody may write who has the server's password: it counts where
    the pull request that it names brought its very commit to main, and was approved by who is named.
    """
    who, why = (version.tags.get(f"promoted_{name}", "") for name in ("by", "why"))
    if not who:
        raise TutorialError(f"Nobody wrote down who promoted version {version.number}.")
    named = BY_PULL_REQUEST.fullmatch(why)
    if not named:
        raise TutorialError(
            f"Version {version.number} was promoted by hand, by {who} ({why}): no review."
        )
    pull = merged_pull(store, int(named[1]))
    commit = version.tags.get("git_commit", "no commit that it names")
    if commit != pull["merge_sha"]:
        raise TutorialError(
            f"Version {version.number} was trained from {commit[:12]}, and pull request "
            f"#{pull['id']} brought {pull['merge_sha'][:12]}."
        )
    people = tuple(who.split(", "))
    approved = approvers(store, pull)
    for each in people:
        if each not in approved:
            raise TutorialError(
                f"{each}, who is named, did not approve the last commit of pull request "
                f"#{pull['id']}."
            )
    return Approval(pull, people)


def merged_pull(store: Store, number: int) -> Row:
    """Return a pull request that came to its base. Raises `TutorialError`."""
    try:
        pull = find_pull(store, number)
    except RefusalError:
        raise TutorialError(f"The local GitHub has no pull request #{number}.") from None
    if pull["merged"] is None or not came_to_base(store, pull, pull["merge_sha"]):
        raise TutorialError(f"Pull request #{number} was not merged.")
    return pull


def came_to_base(store: Store, pull: Row, commit: str) -> bool:
    """Tell whether a commit is in the history of a pull request's base."""
    return Repository(store.state).is_ancestor(commit, f"refs/heads/{pull['base_ref']}")


def approvers(store: Store, pull: Row) -> set[str]:
    """Return who may write and approved the last commit of a pull request, each by the last word."""
    last = {
        review["author"]: review
        for review in reviews_of(store, pull["id"])
        if review["state"] != "COMMENTED"
    }
    return {
        author
        for author, review in last.items()
        if review["state"] == "APPROVED"
        and review["sha"] == pull["head_sha"]
        and review["may_write"]
    }


def event_of(run: Row) -> dict[str, Any]:
    """Return the event that started a run."""
    event: dict[str, Any] = json.loads(run["payload"])
    return event


def last_training(store: Store, pull: Row) -> Row | None:
    """Return the newest run of train.yml for the last commit of a pull request, before it was merged, or None."""
    for run in store.runs():
        theirs = run["event"] == "pull_request" and run["file"] == TRAIN
        before = pull["merged"] is None or run["created"] <= pull["merged"]
        number = event_of(run).get("number") if theirs and before else None
        if number == pull["id"] and run["head_sha"] == pull["head_sha"]:
            return run
    return None
