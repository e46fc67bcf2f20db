"""From what happens to a pull request to the runs that it queues."""

from collections.abc import Mapping
from typing import Any

from tutorial.github.events import Queued, about, queue_selected
from tutorial.github.merging import merge_ref
from tutorial.github.people import Actor
from tutorial.github.repository import Repository
from tutorial.github.store import Row, Store
from tutorial.github.workflow import Workflow


def queue_pull(
    store: Store,
    repository: Repository,
    pull: Row,
    form: Mapping[str, Any],
    action: str,
    actor: Actor,
    more: Mapping[str, Any] | None = None,
) -> Queued:
    """Queue the runs that a pull request's event `pull_request` starts: of the workflows of its trial merge.

    `form` is the pull request as GitHub writes it, `more` what the event says besides.
    """
    if not actor.starts_runs:
        return Queued((), "Done by a job: no workflow runs, as with GITHUB_TOKEN on GitHub.")
    merged = pull["merged"] is not None
    if not merged and not pull["mergeable"]:
        return Queued((), "The pull request conflicts with its base: no workflow runs.")
    if repository.commit(pull["head_sha"]).skips:
        return Queued((), "The head commit's message asks that no workflow runs.")
    sha = str(pull["merge_sha"])
    # Where the branches parted, as on GitHub: what the base did since is none of the pull request's.
    parted = repository.base(pull["base_sha"], pull["head_sha"])
    paths = repository.changed_files(parted, pull["head_sha"])

    def selected(workflow: Workflow) -> bool:
        trigger = workflow.on.get("pull_request")
        return (
            trigger is not None
            and trigger.for_type(action)
            and trigger.for_branch(pull["base_ref"])
            and trigger.for_paths(paths)
        )

    payload = {
        **about(repository, actor),
        "action": action,
        "number": pull["id"],
        "pull_request": {**form, "merged": merged},
        **(more or {}),
    }
    columns = {
        "ref": f"refs/heads/{pull['base_ref']}" if merged else merge_ref(pull["id"]),
        "sha": sha,
        "head_sha": pull["head_sha"],
        "head_branch": pull["head_ref"],
    }
    files = repository.workflow_files(sha)
    title = str(pull["title"])
    runs = queue_selected(
        store, repository, files, selected, payload, title, "pull_request", columns
    )
    if not runs:
        return Queued((), f"This starts none of the {len(files)} workflows of the pull request.")
    return Queued(tuple(runs))
