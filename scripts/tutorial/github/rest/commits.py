"""The repository, its refs and commits, their checks and statuses, and the protection of branches."""

from typing import Any

from tutorial.github.checks import add_status, latest_runs, latest_statuses
from tutorial.github.forms import Json, maybe_when, node_id, when
from tutorial.github.protection import protect, rule_of, unprotect
from tutorial.github.pulls import form_of, list_pulls
from tutorial.github.refusals import RefusalError, not_found
from tutorial.github.repository import DEFAULT_BRANCH
from tutorial.github.rest.asking import Ask, Reply, Route, counted, listed
from tutorial.github.store import Row

REPO = "/repos/{owner}/{repo}"


def show_repository(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO."""
    return Reply(200, ask.forms.full_repository())


def show_ref(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/git/ref/REF, where REF is heads/NAME or tags/NAME."""
    ref = f"refs/{ask.path['ref']}"
    if not ref.startswith(("refs/heads/", "refs/tags/")) or not ask.repository.has_ref(ref):
        raise not_found()
    sha = ask.repository.resolve(ref)
    said = {
        "ref": ref,
        "node_id": node_id("Ref", ref),
        "url": f"{ask.forms.here}/git/{ref}",
        "object": {
            "type": "commit",
            "sha": sha,
            "url": f"{ask.forms.here}/git/commits/{sha}",
        },
    }
    return Reply(200, said)


def commit_form(ask: Ask, sha: str) -> Json:
    """Return a commit; who made it is a name in git, and no account."""
    commit = ask.repository.commit(sha)
    url, page = f"{ask.forms.here}/commits/{sha}", f"{ask.forms.pages}/commit"
    who = {"name": commit.author, "email": commit.email, "date": commit.time}
    return {
        "sha": sha,
        "node_id": node_id("Commit", sha),
        "url": url,
        "html_url": f"{page}/{sha}",
        "comments_url": f"{url}/comments",
        "author": None,
        "committer": None,
        "commit": {
            "author": who,
            "committer": who,
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{ask.forms.here}/git/trees/{commit.tree}"},
            "url": f"{ask.forms.here}/git/commits/{sha}",
            "comment_count": 0,
        },
        "parents": [
            {"sha": one, "url": f"{ask.forms.here}/commits/{one}", "html_url": f"{page}/{one}"}
            for one in commit.parents
        ],
    }


def show_commit(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/commits/REF."""
    return Reply(200, commit_form(ask, ask.commit("ref")))


def show_pulls(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/commits/SHA/pulls: what brought a commit to main, else what would.

    As on GitHub, a commit that is in a fork alone belongs to none here: ask for its branch's pull requests.
    """
    sha = ask.commit("ref")
    repository, found = ask.repository, []
    in_main = repository.is_ancestor(sha, f"refs/heads/{DEFAULT_BRANCH}")
    for pull in list_pulls(ask.store, "all"):
        if in_main and pull["merged"] is None:
            continue
        own = pull["head_owner"] == ask.path["owner"] or pull["merged"] is not None
        brought = repository.is_ancestor(sha, pull["head_sha"]) and not repository.is_ancestor(
            sha, pull["base_sha"]
        )
        if (sha == pull["merge_sha"] and in_main) or (own and brought):
            found.append(pull)
    return listed(ask, found, lambda row: form_of(ask.store, row))


def show_checks(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/commits/REF/check-runs."""
    sha = ask.commit("ref")
    jobs = [(job, run) for run in latest_runs(ask.store, sha) for job in ask.store.jobs(run["id"])]
    if name := ask.query.get("check_name"):
        jobs = [(job, run) for job, run in jobs if job["name"] == name]
    return counted(ask, "check_runs", jobs, lambda both: _check(ask, *both))


def _check(ask: Ask, job: Row, run: Row) -> Json:
    page = f"{ask.forms.pages}/actions/runs/{run['id']}/job/{job['id']}"
    whole = ask.forms.run(run)
    return {
        "id": job["id"],
        "node_id": node_id("CheckRun", job["id"]),
        "name": job["name"],
        "head_sha": run["head_sha"],
        "external_id": str(job["id"]),
        "url": f"{ask.forms.here}/check-runs/{job['id']}",
        "html_url": page,
        "details_url": page,
        "status": job["status"],
        "conclusion": job["conclusion"],
        "started_at": maybe_when(job["started"]),
        "completed_at": maybe_when(job["finished"]),
        "output": {
            "title": None,
            "summary": None,
            "text": None,
            "annotations_count": len(ask.store.annotations(job["id"])),
            "annotations_url": f"{ask.forms.here}/check-runs/{job['id']}/annotations",
        },
        "check_suite": {"id": run["id"]},
        "app": None,
        "pull_requests": whole["pull_requests"],
    }


def _status(ask: Ask, status: Row) -> Json:
    user = ask.forms.user(status["author"])
    return {
        "id": status["id"],
        "node_id": node_id("Status", status["id"]),
        "url": f"{ask.forms.here}/statuses/{status['sha']}",
        "avatar_url": user["avatar_url"],
        "state": status["state"],
        "description": status["description"],
        "target_url": status["url"],
        "context": status["context"],
        "created_at": when(status["created"]),
        "updated_at": when(status["created"]),
        "creator": user,
    }


def show_status(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/commits/REF/status."""
    sha = ask.commit("ref")
    rows = latest_statuses(ask.store, sha)
    states = {row["state"] for row in rows}
    bad = states & {"error", "failure"}
    said = {
        "state": "failure" if bad else "success" if states == {"success"} else "pending",
        "sha": sha,
        "total_count": len(rows),
        "statuses": [_status(ask, row) for row in rows],
        "repository": ask.forms.repository(),
        "commit_url": f"{ask.forms.here}/commits/{sha}",
        "url": f"{ask.forms.here}/commits/{sha}/status",
    }
    return Reply(200, said)


def set_status(ask: Ask) -> Reply:
    """POST /repos/OWNER/REPO/statuses/SHA."""
    made = add_status(ask.store, ask.commit("ref"), ask.fields(), ask.actor)
    return Reply(201, _status(ask, made))


def _rule(ask: Ask, rule: dict[str, Any]) -> Json:
    url = f"{ask.forms.here}/branches/{ask.path['branch']}/protection"
    said: Json = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": rule["enforce_admins"]},
    }
    if checks := rule.get("checks"):
        said["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": checks["strict"],
            "contexts": checks["names"],
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": name, "app_id": None} for name in checks["names"]],
        }
    if reviews := rule.get("reviews"):
        said["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": reviews["dismiss_stale"],
            "require_code_owner_reviews": False,
            "required_approving_review_count": reviews["count"],
        }
    return said


def _branch(ask: Ask) -> str:
    if not ask.repository.has_branch(ask.path["branch"]):
        raise RefusalError(404, "Branch not found")
    return ask.path["branch"]


def show_protection(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/branches/BRANCH/protection."""
    rule = rule_of(ask.store, _branch(ask))
    if rule is None:
        raise RefusalError(404, "Branch not protected")
    return Reply(200, _rule(ask, rule))


def set_protection(ask: Ask) -> Reply:
    """PUT /repos/OWNER/REPO/branches/BRANCH/protection."""
    return Reply(200, _rule(ask, protect(ask.store, _branch(ask), ask.fields(), ask.actor)))


def end_protection(ask: Ask) -> Reply:
    """DELETE /repos/OWNER/REPO/branches/BRANCH/protection."""
    branch = _branch(ask)
    if rule_of(ask.store, branch) is None:
        raise RefusalError(404, "Branch not protected")
    unprotect(ask.store, branch, ask.actor)
    return Reply(204)


PROTECTION = f"{REPO}/branches/{{branch}}/protection"
ROUTES = [
    Route("GET", REPO, show_repository, ("metadata",)),
    Route("GET", f"{REPO}/git/ref/{{ref:.+}}", show_ref, ("contents",)),
    Route("GET", f"{REPO}/commits/{{ref}}", show_commit, ("contents",)),
    Route("GET", f"{REPO}/commits/{{ref}}/pulls", show_pulls, ("pull_requests",)),
    Route("GET", f"{REPO}/commits/{{ref}}/check-runs", show_checks, ("checks",)),
    Route("GET", f"{REPO}/commits/{{ref}}/status", show_status, ("statuses",)),
    Route("POST", f"{REPO}/statuses/{{ref}}", set_status),
    Route("GET", PROTECTION, show_protection, ("administration",)),
    Route("PUT", PROTECTION, set_protection),
    Route("DELETE", PROTECTION, end_protection),
]
