"""From an event to the runs that it queues."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutorial.github.coercion import Value
from tutorial.github.document import WorkflowError
from tutorial.github.expressions import Scope
from tutorial.github.forms import Forms
from tutorial.github.masking import Masker
from tutorial.github.people import Actor, person
from tutorial.github.repository import DEFAULT_BRANCH, NOTHING, OWNER, Repository
from tutorial.github.run_context import github_context
from tutorial.github.store import Row, Store
from tutorial.github.supported import refuse_unsupported
from tutorial.github.vault import Vault
from tutorial.github.workflow import Workflow, read_workflow

BY_A_JOB = "Pushed by a job: no workflow runs, as with GITHUB_TOKEN on GitHub."
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


def queue_push(
    store: Store, repository: Repository, change: RefChange, actor: Actor | None = None
) -> Queued:
    """Queue the runs of a push: of the workflows of the pushed commit that it selects."""
    actor = actor or person(OWNER)
    short = change.branch or change.tag
    if short is None:
        return Queued((), f"{change.ref} is no branch and no tag: no workflow runs.")
    if change.after == NOTHING:
        return Queued((), f"{short} is gone: no workflow runs.")
    if not actor.starts_runs:
        return Queued((), BY_A_JOB)
    sha = repository.resolve(change.after)
    commit = repository.commit(sha)
    if commit.skips:
        return Queued((), "The commit's message asks that no workflow runs.")
    files = repository.workflow_files(sha)
    if not files:
        return Queued((), "The commit has no workflow in .github/workflows: nothing runs.")
    paths = repository.changed_files(change.before, sha)
    payload = {
        **about(repository, actor),
        "ref": change.ref,
        "before": change.before,
        "after": sha,
        "created": change.before == NOTHING,
        "deleted": False,
        "forced": False,
        "pusher": {"name": actor.login},
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

    columns = {"ref": change.ref, "sha": sha, "head_sha": sha, "head_branch": short}
    runs = queue_selected(
        store, repository, files, selected, payload, commit.title, "push", columns
    )
    if not runs:
        return Queued((), f"A push to {short} starts none of this commit's {len(files)} workflows.")
    return Queued(tuple(runs))


def queue_selected(
    store: Store,
    repository: Repository,
    files: Sequence[str],
    selected: Callable[[Workflow], bool],
    payload: Mapping[str, Any],
    title: str,
    event: str,
    columns: Mapping[str, Any],
) -> list[int]:
    """Queue a run of each selected workflow of the commit `sha`; one that cannot be read has failed at once."""
    runs = []
    for file in files:
        source = repository.file(columns["sha"], file)
        try:
            workflow = read_workflow(source, file)
            if not selected(workflow):
                continue
        except WorkflowError as error:
            about_it = (store, source, payload, str(error), file, title, event, columns)
            runs.append(queue_invalid(*about_it))
            continue
        runs.append(queue_run(store, workflow, source, payload, title, event, columns))
    return runs


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
    told = Forms(store.state).run(run)
    actor = Actor(told["actor"]["login"])
    payload = {**about(repository, actor), "action": kind, "workflow_run": told}
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


def about(repository: Repository, actor: Actor) -> dict[str, Any]:
    """Return what every event says: of which repository it is, and who is behind it."""
    forms = Forms(repository.state)
    return {"repository": forms.repository(), "sender": forms.user(actor.login)}
