"""Find what was reviewed of the commit that came to main, and put its record and predictions in a folder.

    python scripts/reviewed.py FOLDER >> "$GITHUB_OUTPUT"

Its standard output is `number` and `approver`; what it has to say besides goes to standard error.
"""

import os
import sys
from pathlib import Path

from github import Artifact, GitHubError, Json, Repository

WORKFLOW = ".github/workflows/train.yml"
MAY_APPROVE = ("OWNER", "MEMBER", "COLLABORATOR")  # others' approvals are kind words
LONGEST = {"record.json": 1_000_000, "predictions.csv": 20_000_000}  # bytes


def pull_of(github: Repository, commit: str) -> Json:
    """Return the pull request whose merging made a commit of main. Raises `GitHubError`."""
    for pull in github.every(f"/commits/{commit}/pulls"):
        if pull["merged_at"] and pull["merge_commit_sha"] == commit:
            return pull
    raise GitHubError(f"No pull request brought {commit[:12]}: nobody reviewed it. Open one.")


def approvers(github: Repository, pull: Json) -> list[str]:
    """Return who approved the last commit of a pull request, each by the last word. Raises `GitHubError`."""
    last: dict[str, Json] = {}
    for review in github.every(f"/pulls/{pull['number']}/reviews"):
        if review["state"] != "COMMENTED" and review["user"]:
            last[review["user"]["login"]] = review
    found = [
        login
        for login, review in last.items()
        if review["state"] == "APPROVED"
        and review["commit_id"] == pull["head"]["sha"]
        and review["author_association"] in MAY_APPROVE
    ]
    if not found:
        raise GitHubError(
            f"Nobody approved the last commit of pull request {pull['number']}: nothing is promoted. "
            "Open another, and have it approved before it is merged."
        )
    return found


def artifact_of(github: Repository, pull: Json) -> Artifact:
    """Return what the last training before the merge left, if its gate let it pass. Raises `GitHubError`."""
    head, merged = pull["head"], pull["merged_at"]
    query = {"event": "pull_request", "head_sha": head["sha"]}
    for run in github.every("/actions/runs", "workflow_runs", **query):  # the newest comes first
        theirs = run["head_branch"] == head["ref"] and _name(run["head_repository"]) == _name(
            head["repo"]
        )
        if not theirs or run["path"].partition("@")[0] != WORKFLOW or run["created_at"] > merged:
            continue
        artifact = github.artifact(run["id"], "model") if run["conclusion"] == "success" else None
        if artifact:
            return artifact
        break
    raise GitHubError(
        f"The last training of pull request {pull['number']} was not let pass, or is gone: nothing is "
        "promoted. Open another."
    )


def _name(repository: Json | None) -> str:
    return str((repository or {}).get("full_name"))  # a fork may be gone


def main() -> None:
    """Do it for the commit GITHUB_SHA. Exit status 1, and a sentence, where there is nothing to go by."""
    try:
        github = Repository(os.environ, "GITHUB_TOKEN")
        pull = pull_of(github, os.environ["GITHUB_SHA"])
        names, artifact = ", ".join(approvers(github, pull)), artifact_of(github, pull)
        folder = Path(sys.argv[1])
        folder.mkdir(exist_ok=True)
        for name, longest in LONGEST.items():
            (folder / name).write_text(artifact.text(name, longest) or "", encoding="utf-8")
    except GitHubError as error:
        sys.exit(str(error))
    print(f"Pull request {pull['number']} was approved by {names}.", file=sys.stderr)
    print(f"number={pull['number']}", f"approver={names}", sep="\n")


if __name__ == "__main__":
    main()
