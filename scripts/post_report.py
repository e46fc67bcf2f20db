"""Bring a training's report to its pull request, in one comment that is brought up to date.
Whose training it was, GitHub's event says. The report may be a stranger's: it is shown, not believed.
"""

import json
import os
import sys
from pathlib import Path

from github import Artifact, GitHubError, Json, Repository
from harmless import harmless

MARKER = "<!-- model report -->"
LONGEST, CUT = 60_000, "\n\nThe rest is in the run's artifact."  # characters; GitHub takes 65,536
JUDGES = ".github/"  # who changes what is there can write the report by hand
DOUBT = f"**This changes `{JUDGES}`: read that first, for the report may say anything.**"


def pull_of(app: Repository, run: Json, base: str) -> int | None:
    """Return the number of the open pull request that ends in the run's commit, None without one."""
    source = run["head_repository"] or {"owner": {"login": ""}, "full_name": ""}  # a fork may go
    head = f"{source['owner']['login']}:{run['head_branch']}"
    for pull in app.every("/pulls", state="open", head=head, base=base):
        theirs = (pull["head"]["repo"] or {}).get("full_name") == source["full_name"]
        if theirs and pull["head"]["sha"] == run["head_sha"]:
            return int(pull["number"])
    return None


def report_of(artifact: Artifact | None, number: int) -> str:
    """Return the report, harmless. Raises `GitHubError` where it is not this pull request's."""
    if artifact is None:
        return "It left no model to report on: the run says why."
    if (artifact.text("number", 20) or "").strip() != str(number):
        raise GitHubError(f"The artifact is not of pull request {number}: nothing is posted.")
    first, _, report = (artifact.text("report.md", 4 * LONGEST) or MARKER).partition("\n")
    if first != MARKER:
        raise GitHubError(f"report.md does not begin with {MARKER}: nothing is posted.")
    return harmless(report).strip() or "It left no report: the run says why."


def comment_on(app: Repository, run: Json, number: int, report: str) -> str:
    """Return the comment: what GitHub says comes first, where no report can hide it."""
    about = f"[Run {run['run_number']}]({run['html_url']}) of commit {run['head_sha']}"
    files = app.every(f"/pulls/{number}/files")
    names = [one.get(key, "") for one in files for key in ("filename", "previous_filename")]
    doubt = [DOUBT for name in names if name.startswith(JUDGES)][:1]
    text = "\n\n".join([MARKER, f"{about}: **{run['conclusion']}**.", *doubt, report])
    return text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT


def post(app: Repository, number: int, body: str, slug: str) -> str:
    """Write the comment, over the App's own where that is; return what was done."""
    for comment in app.every(f"/issues/{number}/comments"):
        if comment["user"]["login"] == f"{slug}[bot]" and comment["body"].startswith(MARKER):
            app.write("PATCH", f"/issues/comments/{comment['id']}", {"body": body})
            return f"The comment on pull request {number} is brought up to date."
    app.write("POST", f"/issues/{number}/comments", {"body": body})
    return f"Pull request {number} has a comment now."


def main() -> None:
    """Do it for this job's event. Exit status 1, and a sentence, where nothing may be posted."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run, said = (
        event["workflow_run"],
        "No open pull request ends in this commit: nothing is posted.",
    )
    try:
        app, jobs = Repository(os.environ, "APP_TOKEN"), Repository(os.environ, "GITHUB_TOKEN")
        if number := pull_of(app, run, event["repository"]["default_branch"]):
            report = report_of(jobs.artifact(run["id"], "model"), number)
            said = post(app, number, comment_on(app, run, number, report), os.environ["APP_SLUG"])
    except GitHubError as error:
        sys.exit(str(error))
    print(said)


if __name__ == "__main__":
    main()
