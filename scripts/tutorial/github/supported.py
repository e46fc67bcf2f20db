"""What GitHub runs and the rehearsal does not: an error that names file and line, before anything runs."""

import re
from dataclasses import dataclass

from tutorial.github.people import PERMISSIONS
from tutorial.github.workflow import Job, Step, Workflow

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Action:
    """The inputs of an action that its shim heeds, or may leave alone; and those it needs."""

    inputs: tuple[str, ...]
    required: tuple[str, ...] = ()


ACTIONS = {
    "actions/checkout": Action(
        (
            "ref",
            "persist-credentials",
            "fetch-depth",
            "fetch-tags",
            "path",
            "clean",
            "show-progress",
        )
    ),
    "actions/setup-python": Action(
        (
            *("python-version", "python-version-file", "cache", "cache-dependency-path"),
            *("check-latest", "allow-prereleases", "architecture", "update-environment"),
        )
    ),
    "astral-sh/setup-uv": Action(
        (
            *("version", "enable-cache", "cache-dependency-glob", "cache-suffix", "prune-cache"),
            *("python-version", "save-cache", "restore-cache", "ignore-nothing-to-cache"),
        )
    ),
    "actions/cache": Action(
        ("path", "key", "restore-keys", "fail-on-cache-miss", "lookup-only"), ("path", "key")
    ),
    "actions/upload-artifact": Action(
        (
            *("name", "path", "if-no-files-found", "retention-days", "compression-level"),
            *("overwrite", "include-hidden-files"),
        ),
        ("path",),
    ),
    "actions/download-artifact": Action(
        (
            *("name", "path", "pattern", "merge-multiple", "run-id", "github-token"),
            "repository",
        )
    ),
    "actions/create-github-app-token": Action(
        (
            *("client-id", "app-id", "private-key", "owner", "repositories"),
            *("skip-token-revoke", "github-api-url"),
            *(f"permission-{name.replace('_', '-')}" for name in PERMISSIONS),
        ),
        ("private-key",),
    ),
}


def refuse_unsupported(workflow: Workflow) -> None:
    """Raise `WorkflowError` for the first thing that the rehearsal cannot do."""
    for job in workflow.jobs.values():
        if job.matrix:
            raise job.matrix[0].error("the rehearsal has no `matrix`: it runs each job once.")
        _refuse_system(job)
        for step in job.steps:
            if step.uses is not None:
                _refuse_action(step, step.uses)


def _refuse_system(job: Job) -> None:
    for label in job.runs_on:
        if label.is_plain and label.source.lower().startswith("windows"):
            raise label.place.error(f"the rehearsal has no {label.source}: this machine runs jobs.")


def _refuse_action(step: Step, uses: str) -> None:
    name, _, version = uses.partition("@")
    action = ACTIONS.get(name)
    if action is None:
        raise step.uses_place.error(
            f"the rehearsal has no `{name}`: it knows {', '.join(ACTIONS)}."
        )
    if not COMMIT.fullmatch(version):
        raise step.uses_place.error(
            f"`{uses}` can change under you: name the full commit, 40 characters."
        )
    for given, (_, place) in step.inputs.items():
        if given not in action.inputs:
            raise place.error(
                f"the rehearsal's {name} has no input `{given}`: it knows {', '.join(action.inputs)}."
            )
    for required in action.required:
        if required not in step.inputs:
            raise step.uses_place.error(f"{name} needs the input `{required}`.")
