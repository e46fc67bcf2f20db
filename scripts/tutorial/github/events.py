"""From an event to the runs that it queues."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutorial.github.coercion import Value
from tutorial.github.document import WorkflowError
from tutorial.github.expressions import Scope
from tutorial.github.masking import Masker
from tutorial.github.repository import DEFAULT_BRANCH, NAME, NOTHING, OWNER, Repository
from tutorial.github.run_context import github_context
from tutorial.github.store import Row, Store
from tutorial.github.supported import refuse_unsupported
from tutorial.github.vault import Vault
from tutorial.github.workflow import Workflow, read_workflow

DEEPEST = 3  # runs that start one another by `workflow_run`; GitHub's own limit


@dataclass(frozen=True)
class RefChange:
    """A branch or tag that a push has moved: what git tells the hook."""

    before: str
    after: str
    ref: str

    @property
    def branch(self) -> str | None:
        """The branch, or None for anything else."""
        prefix = "refs/heads/"
        return self.ref.removeprefix(prefix) if self.ref.startswith(prefix) else None

    @property
    def tag(self) -> str | None:
        """The tag, or None for anything else."""
        prefix = "refs/tags/"
        return self.ref.removeprefix(prefix) if self.ref.startswith(prefix) else None


@dataclass(frozen=True)
class Queued:
    """What became of an event: the runs, and why there are none."""

    runs: tuple[int, ...]
    reason: str | None = None


def queue_push(store: Store, repository: Repository, change: RefChange) -> Queued:
    """Queue the runs of a push: of the workflows of the pushed commit that it selects."""
    short = change.branch or change.tag
    if short is None:
        return Queued((), f"{change.ref} is no branch and no tag: no workflow runs.")
    if change.after == NOTHING:
        return Queued((), f"{short} is gone: no workflow runs.")
    sha = repository.resolve(change.after)
    commit = repository.commit(sha)
    if commit.skips:
        return Queued((), "The commit's message asks that no workflow runs.")
    files = repository.workflow_files(sha)
    if not files:
        return Queued((), "The commit has no workflow in .github/workflows: nothing runs.")
    paths = repository.changed_files(change.before, sha)
    payload = {
        **_common(repository),
        "ref": change.ref,
        "before": change.before,
        "after": sha,
        "created": change.before == NOTHING,
        "deleted": False,
        "forced": False,
        "pusher": {"name": OWNER},
        "head_commit": {
            "id": sha,
            "message": commit.message,
            "timestamp": commit.time,
            "author": {"name": commit.author, "email": commit.email},
        },
    }

    def selected(workflow: Workflow) -> bool:
        trigger = workflow.on.get("push")
        if trigger is None:
            return False
        if change.tag is not None:
            return trigger.for_tag(change.tag)
        return trigger.for_branch(str(change.branch)) and trigger.for_paths(paths)

    runs: list[int] = []
    for file in files:
        source = repository.file(sha, file)
        columns = {"ref": change.ref, "sha": sha, "head_sha": sha, "head_branch": short}
        try:
            workflow = read_workflow(source, file)
            if not selected(workflow):
                continue
        except WorkflowError as error:
            runs.append(
                queue_invalid(
                    store, source, payload, str(error), file, commit.title, "push", columns
                )
            )
            continue
        runs.append(queue_run(store, workflow, source, payload, commit.title, "push", columns))
    if not runs:
        return Queued((), f"A push to {short} starts none of this commit's {len(files)} workflows.")
    return Queued(tuple(runs))


def queue_run(
    store: Store,
    workflow: Workflow,
    source: bytes,
    payload: Mapping[str, Any],
    title: str,
    event: str,
    columns: Mapping[str, Any],
) -> int:
    """Queue a run of a workflow and return its id; one that cannot be rehearsed has failed at once."""
    vault = Vault(store.state)
    masker = Masker(vault.secrets().values())
    common: dict[str, Any] = {
        **columns,
        "workflow": masker.mask(workflow.name),
        "file": workflow.file,
        "event": event,
    }
    try:
        refuse_unsupported(workflow)
        # Once to see whether it can be evaluated, and again when the run has its numbers.
        name_of_run(store, workflow, {**common, "id": 0, "number": 0}, payload)
    except WorkflowError as error:
        return queue_invalid(
            store, source, payload, str(error), workflow.file, title, event, columns
        )
    identity = store.queue(source, payload, title=masker.mask(title), **common)
    if name := name_of_run(store, workflow, store.run(identity), payload):
        store.update("runs", identity, title=masker.mask(name))
    return identity


def name_of_run(
    store: Store, workflow: Workflow, run: Mapping[str, Any], payload: Mapping[str, Any]
) -> str:
    """Return what `run-name` says of a run; empty where it says nothing."""
    if workflow.run_name is None:
        return ""
    context = github_context(run, payload, store.state)
    variables: Mapping[str, Value] = dict(Vault(store.state).variables())
    scope = Scope({"github": context, "inputs": {}, "vars": variables})
    return workflow.run_name.text(scope).strip()


def queue_invalid(
    store: Store,
    source: bytes,
    payload: Mapping[str, Any],
    problem: str,
    file: str,
    title: str,
    event: str,
    columns: Mapping[str, Any],
) -> int:
    """Record a run that has failed because its file is wrong, as GitHub does; return its id."""
    masker = Masker(Vault(store.state).secrets().values())
    identity = store.queue(
        source,
        payload,
        workflow=file,
        file=file,
        title=masker.mask(title),
        event=event,
        **{**columns, "status": "in_progress"},
    )
    store.finish("runs", identity, "failure", masker.mask(problem))
    return identity


def queue_after(store: Store, repository: Repository, run: Row, kind: str) -> list[int]:
    """Queue the runs that a run starts by `workflow_run`: of the workflows of the default branch."""
    if run["level"] >= DEEPEST or not repository.exists(DEFAULT_BRANCH):
        return []
    sha = repository.resolve(DEFAULT_BRANCH)
    payload = {**_common(repository), "action": kind, "workflow_run": run_payload(run)}
    queued = []
    for file in repository.workflow_files(sha):
        source = repository.file(sha, file)
        try:
            workflow = read_workflow(source, file)
        except WorkflowError:
            continue  # the push that brought it was told
        trigger = workflow.on.get("workflow_run")
        if (
            trigger is None
            or run["workflow"] not in trigger.filters["workflows"]
            or not trigger.for_type(kind)
            or not trigger.for_branch(run["head_branch"] or "")
        ):
            continue
        columns = {
            "ref": f"refs/heads/{DEFAULT_BRANCH}",
            "sha": sha,
            "head_sha": sha,
            "head_branch": DEFAULT_BRANCH,
            "level": run["level"] + 1,
        }
        queued.append(
            queue_run(store, workflow, source, payload, workflow.name, "workflow_run", columns)
        )
    return queued


def run_payload(run: Row) -> dict[str, Any]:
    """Return what `github.event.workflow_run` says of a run."""
    event: dict[str, Any] = json.loads(run["payload"])
    requests: Sequence[Any] = [event["pull_request"]] if "pull_request" in event else []
    return {
        "id": run["id"],
        "name": run["workflow"],
        "path": run["file"],
        "event": run["event"],
        "run_number": run["number"],
        "run_attempt": 1,
        "status": run["status"],
        "conclusion": run["conclusion"],
        "head_branch": run["head_branch"],
        "head_sha": run["head_sha"],
        "display_title": run["title"],
        "head_repository": {"full_name": f"{OWNER}/{NAME}"},
        "pull_requests": [
            {
                key: value
                for key, value in request.items()
                if key in ("id", "number", "head", "base")
            }
            for request in requests
        ],
    }


def _common(repository: Repository) -> dict[str, Any]:
    return {
        "repository": {
            "name": NAME,
            "full_name": repository.full_name,
            "default_branch": DEFAULT_BRANCH,
            "owner": {"login": OWNER},
            "private": False,
            "fork": False,
        },
        "sender": {"login": OWNER, "type": "User"},
    }
