"""How GitHub writes things: the JSON of its REST API, which the payloads of events hold as well.

After GitHub's OpenAPI description; of what is not on this machine it has the empty value.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tutorial.github.people import COLLEAGUE, identity
from tutorial.github.repository import DEFAULT_BRANCH, NAME, OWNER, Repository
from tutorial.github.run_context import addresses_of
from tutorial.github.store import Row

Json = dict[str, Any]
# Apart from the number that people see: who takes one for the other is told at once.
PULL, COMMENT, REVIEW, LABEL = 900_000_000, 500_000_000, 600_000_000, 700_000_000
BEGAN = "2026-01-01T00:00:00Z"  # the repository has been there as long as anybody remembers
COLOURS = {"same-quality": "c2e0c6"}
REPOSITORY_URLS = {
    "archive_url": "{archive_format}{/ref}", "assignees_url": "assignees{/user}", "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}", "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}", "commits_url": "commits{/sha}", "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}", "contributors_url": "contributors", "deployments_url": "deployments",
    "downloads_url": "downloads", "events_url": "events", "forks_url": "forks", "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}", "git_tags_url": "git/tags{/sha}", "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}", "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}", "keys_url": "keys{/key_id}", "labels_url": "labels{/name}",
    "languages_url": "languages", "merges_url": "merges", "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}", "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}", "stargazers_url": "stargazers", "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers", "subscription_url": "subscription", "tags_url": "tags", "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}  # fmt: skip
USER_URLS = {
    "events_url": "events{/privacy}", "followers_url": "followers", "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}", "organizations_url": "orgs", "received_events_url": "received_events",
    "repos_url": "repos", "starred_url": "starred{/owner}{/repo}", "subscriptions_url": "subscriptions",
}  # fmt: skip


def when(seconds: float) -> str:
    """Return a time as GitHub writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_when(seconds: float | None) -> str | None:
    """Return a time that may not have come."""
    return None if seconds is None else when(seconds)


def node_id(kind: str, number: int | str) -> str:
    """Return what GraphQL would call a thing."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")


class Forms:
    """The forms of one local GitHub, with its addresses."""

    def __init__(self, state: Path) -> None:
        self.state = state
        addresses = addresses_of(state)
        self.web, self.api = addresses["server_url"], addresses["api_url"]
        self.here = f"{self.api}/repos/{OWNER}/{NAME}"
        self.pages = f"{self.web}/{OWNER}/{NAME}"

    def user(self, login: str) -> Json:
        """Return an account."""
        url = f"{self.api}/users/{login}"
        return {
            "login": login,
            "id": identity(login),
            "node_id": node_id("User", login),
            "avatar_url": f"{self.web}/avatars/{login}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.web}/{login}",
            "type": "Bot" if login.endswith("[bot]") else "User",
            "site_admin": False,
            **{name: f"{url}/{path}" for name, path in USER_URLS.items()},
        }

    def repository(self, owner: str = OWNER) -> Json:
        """Return the repository, or somebody's fork."""
        name = Repository(self.state, owner).full_name
        url, page = f"{self.api}/repos/{name}", f"{self.web}/{name}"
        remote = Repository(self.state, owner).url
        counts = ("forks", "forks_count", "open_issues", "open_issues_count", "size")
        watched = ("stargazers_count", "watchers", "watchers_count")
        features = ("issues", "projects", "wiki", "pages", "discussions", "downloads")
        return {
            "id": identity(name),
            "node_id": node_id("Repository", name),
            "name": NAME,
            "full_name": name,
            "owner": self.user(owner),
            "private": False,
            "visibility": "public",
            "fork": owner != OWNER,
            "default_branch": DEFAULT_BRANCH,
            "description": None,
            "url": url,
            "html_url": page,
            **{key: f"{url}/{path}" for key, path in REPOSITORY_URLS.items()},
            **dict.fromkeys(("clone_url", "git_url", "ssh_url", "svn_url"), remote),
            **dict.fromkeys((*counts, *watched), 0),
            **{f"has_{feature}": False for feature in features},
            **dict.fromkeys(("homepage", "language", "mirror_url", "license"), None),
            **dict.fromkeys(("archived", "disabled"), False),
            **dict.fromkeys(("pushed_at", "created_at", "updated_at"), BEGAN),
        }

    def full_repository(self) -> Json:
        """Return the repository as it is when it alone is asked for."""
        return {**self.repository(), "network_count": 0, "subscribers_count": 0}

    def pull(self, pull: Row, labels: list[Row]) -> Json:
        """Return a pull request as a list of them has it."""
        number = pull["id"]
        url, issue = f"{self.here}/pulls/{number}", f"{self.here}/issues/{number}"
        page, statuses = f"{self.pages}/pull/{number}", f"{self.here}/statuses/{pull['head_sha']}"
        links = {
            "self": url,
            "html": page,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{self.here}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": statuses,
        }
        return {
            "url": url,
            "id": PULL + number,
            "node_id": node_id("PullRequest", number),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "number": number,
            "state": pull["state"],
            "locked": False,
            "title": pull["title"],
            "user": self.user(pull["author"]),
            "body": pull["body"] or None,
            "labels": [self.label(label) for label in labels],
            "milestone": None,
            "created_at": when(pull["created"]),
            "updated_at": when(pull["updated"]),
            "closed_at": maybe_when(pull["closed"]),
            "merged_at": maybe_when(pull["merged"]),
            "merge_commit_sha": pull["merge_sha"],
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(pull["head_owner"], pull["head_ref"], pull["head_sha"]),
            "base": self._side(OWNER, pull["base_ref"], pull["base_sha"]),
            "author_association": association(pull["author"]),
            "auto_merge": None,
            "draft": False,
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": statuses,
            "_links": {name: {"href": link} for name, link in links.items()},
        }

    def _side(self, owner: str, ref: str, sha: str) -> Json:
        return {
            "label": f"{owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repository(owner),
        }

    def minimal_pull(self, pull: Json) -> Json:
        """Return what a run says of its pull request, from what its event said."""

        def side(part: Json) -> Json:
            whole = self.repository(part["repo"]["owner"]["login"])
            repo = {key: whole[key] for key in ("id", "url", "name")}
            return {"ref": part["ref"], "sha": part["sha"], "repo": repo}

        url = f"{self.here}/pulls/{pull['number']}"
        kept = {"id": pull["id"], "number": pull["number"], "url": url}
        return {**kept, "head": side(pull["head"]), "base": side(pull["base"])}

    def label(self, label: Row) -> Json:
        """Return a label."""
        name = label["name"]
        return {
            "id": LABEL + identity(name),
            "node_id": node_id("Label", name),
            "url": f"{self.here}/labels/{name}",
            "name": name,
            "description": None,
            "color": COLOURS.get(name, "ededed"),
            "default": False,
        }

    def comment(self, comment: Row) -> Json:
        """Return a comment."""
        number, anchor = COMMENT + comment["id"], f"issuecomment-{COMMENT + comment['id']}"
        return {
            "id": number,
            "node_id": node_id("IssueComment", number),
            "url": f"{self.here}/issues/comments/{number}",
            "html_url": f"{self.pages}/pull/{comment['pull']}#{anchor}",
            "issue_url": f"{self.here}/issues/{comment['pull']}",
            "user": self.user(comment["author"]),
            "body": comment["body"],
            "created_at": when(comment["created"]),
            "updated_at": when(comment["updated"]),
            "author_association": association(comment["author"]),
        }

    def review(self, review: Row) -> Json:
        """Return a review."""
        number, pull = REVIEW + review["id"], f"{self.here}/pulls/{review['pull']}"
        page = f"{self.pages}/pull/{review['pull']}#pullrequestreview-{number}"
        return {
            "id": number,
            "node_id": node_id("PullRequestReview", number),
            "user": self.user(review["author"]),
            "body": review["body"],
            "state": review["state"],
            "html_url": page,
            "pull_request_url": pull,
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": when(review["created"]),
            "commit_id": review["sha"],
            "author_association": association(review["author"]),
        }

    def artifact(self, artifact: Row, run: Row) -> Json:
        """Return an artifact of a run."""
        url = f"{self.here}/actions/artifacts/{artifact['id']}"
        made = when(artifact["created"])
        return {
            "id": artifact["id"],
            "node_id": node_id("Artifact", artifact["id"]),
            "name": artifact["name"],
            "size_in_bytes": artifact["size"],
            "digest": f"sha256:{artifact['digest']}",
            "url": url,
            "archive_download_url": f"{url}/zip",
            "expired": False,
            "created_at": made,
            "updated_at": made,
            "expires_at": when(artifact["created"] + 90 * 86_400),
            "workflow_run": {
                "id": run["id"],
                "repository_id": identity(Repository(self.state).full_name),
                "head_repository_id": identity(f"{_head_owner(run)}/{NAME}"),
                "head_branch": run["head_branch"],
                "head_sha": run["head_sha"],
            },
        }

    def run(self, run: Row) -> Json:
        """Return a run of a workflow, as `github.event.workflow_run` has it too."""
        event: Json = json.loads(run["payload"])
        owner = _head_owner(run)
        # As on GitHub: nothing is said of a fork's pull request.
        told = [event["pull_request"]] if "pull_request" in event and owner == OWNER else []
        url, page = (
            f"{self.here}/actions/runs/{run['id']}",
            f"{self.pages}/actions/runs/{run['id']}",
        )
        workflow = f"{self.here}/actions/workflows/{Path(run['file']).name}"
        commit = Repository(self.state).commit(run["head_sha"])
        # By name: the addresses in an old event may be of another port.
        actor = self.user((event.get("sender") or {}).get("login", OWNER))
        return {
            "id": run["id"],
            "node_id": node_id("WorkflowRun", run["id"]),
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
            "workflow_id": identity(run["file"]),
            "check_suite_id": run["id"],
            "check_suite_node_id": node_id("CheckSuite", run["id"]),
            "url": url,
            "html_url": page,
            "workflow_url": workflow,
            "check_suite_url": f"{self.here}/check-suites/{run['id']}",
            **{
                f"{name}_url": f"{url}/{name}"
                for name in ("jobs", "logs", "artifacts", "cancel", "rerun")
            },
            "previous_attempt_url": None,
            "created_at": when(run["created"]),
            "updated_at": when(run["finished"] or run["started"] or run["created"]),
            "run_started_at": when(run["started"] or run["created"]),
            "actor": actor,
            "triggering_actor": actor,
            "repository": self.repository(),
            "head_repository": self.repository(owner),
            "head_commit": {
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": commit.time,
                "author": {"name": commit.author, "email": commit.email},
                "committer": {"name": commit.author, "email": commit.email},
            },
            "pull_requests": [self.minimal_pull(pull) for pull in told],
        }


def _head_owner(run: Row) -> str:
    request = json.loads(run["payload"]).get("pull_request") or {}
    return str(request["head"]["repo"]["owner"]["login"]) if request else OWNER


def association(login: str) -> str:
    """Return what somebody is to the repository."""
    return {OWNER: "OWNER", COLLEAGUE: "COLLABORATOR"}.get(login, "NONE")
