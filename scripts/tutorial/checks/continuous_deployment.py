"""Milestone 3: a push deploys, a test stops one, a silent release is taken back, and no secret lies around."""

from typing import Any

import yaml

from tutorial.checks.deploy import a_release_is_live
from tutorial.checks.items import Item, Probe
from tutorial.cloud import environment
from tutorial.errors import TutorialError
from tutorial.pipeline import WORKFLOW, deploy_runs, job_of, last_way_back, log_of_job
from tutorial.workspace import Workspace

FILE = ".github/workflows/deploy_app.yml"


def runs_of(probe: Probe) -> list[dict[str, Any]]:
    """Return the finished runs, the newest first; raises `TutorialError` where there is none."""
    runs = deploy_runs(probe.home)
    if not runs:
        raise TutorialError(f"No push has run {WORKFLOW!r} to its end.")
    return runs


def the_last_push_is_live(probe: Probe) -> str:
    """The newest run succeeded, and its commit is in the release that is live."""
    newest = runs_of(probe)[0]
    if newest["conclusion"] != "success":
        raise TutorialError(f"Run {newest['id']}, the newest, ended as {newest['conclusion']}.")
    description = str(probe.deployed.release["description"])
    if newest["commit"][:7] not in description:
        raise TutorialError(
            f"Run {newest['id']} deployed {newest['commit'][:7]}; {description!r} is live."
        )
    return f"run {newest['id']} released commit {newest['commit'][:7]}, {a_release_is_live(probe)}"


def a_failing_test_stopped_a_deploy(probe: Probe) -> str:
    """A run's tests failed, and its job that deploys never began."""
    for run in runs_of(probe):
        test, deploy = job_of(run, "test"), job_of(run, "deploy")
        if test["conclusion"] == "failure":
            if deploy["conclusion"] != "skipped":
                raise TutorialError(f"Run {run['id']} deployed although its tests failed.")
            return f"run {run['id']}: tests failed, nothing was deployed"
    raise TutorialError("No run's tests have failed yet, so nobody has seen them stop a deploy.")


def a_silent_release_was_taken_back(probe: Probe) -> str:
    """A run's tests passed, its release did not answer, and the run went back."""
    way_back = last_way_back(runs_of(probe))
    if way_back is None:
        raise TutorialError("No run has gone back yet.")
    return f"run {way_back.run} went back to {way_back.old} in {way_back.seconds} s"


def no_secret_lies_around(probe: Probe) -> str:
    """The platform's key is in no commit of the workspace and in no log of a run."""
    key = environment(probe.home)["HEROKU_API_KEY"]
    workspace = Workspace(probe.home.workspace)
    if workspace.git("log", "--all", "--oneline", f"-S{key}"):
        raise TutorialError(
            "The platform's key is in a commit: make a new key, for git forgets nothing."
        )
    runs = runs_of(probe)
    for run in runs:
        if any(key in log_of_job(job) for job in run["jobs"]):
            raise TutorialError(f"The platform's key stands in the log of run {run['id']}.")
    return f"in no commit, and in none of {len(runs)} runs' logs"


def the_workflow_may_only_read(probe: Probe) -> str:
    """The workflow's token can read the repository and nothing else, in every job."""
    text = Workspace(probe.home.workspace).git("show", f"HEAD:{FILE}")
    workflow = yaml.safe_load(text)
    for where, part in [("the workflow", workflow), *workflow["jobs"].items()]:
        permissions = part.get(
            "permissions", {"contents": "read"} if part is not workflow else None
        )
        if permissions != {"contents": "read"}:
            raise TutorialError(
                f"{where} has permissions {permissions}, and `contents: read` will do."
            )
    return "permissions: contents: read"


ITEMS = [
    Item(
        "What was pushed last is live",
        "Push a commit that is good, and read what the push says.",
        the_last_push_is_live,
    ),
    Item(
        "A push whose test fails is not deployed",
        "Run the cells that push a bolder app.",
        a_failing_test_stopped_a_deploy,
    ),
    Item(
        "A release that does not answer is taken back",
        "Run the cells that push a slip in the Dockerfile.",
        a_silent_release_was_taken_back,
    ),
    Item(
        "No secret is in a commit or a log",
        "Keep it with lab.secret, and name it in the step that needs it alone.",
        no_secret_lies_around,
    ),
    Item(
        "The workflow may read the repository, no more",
        f"Write `permissions:` with `contents: read` at the top of {FILE}.",
        the_workflow_may_only_read,
    ),
]
