"""Branch protection: which checks and how many approvals a merge into a branch needs.

After "Update branch protection" of GitHub's REST API; what is known of the rule is what stands here.
"""

import json
from typing import Any

from tutorial.github.checks import conclusions
from tutorial.github.people import Actor
from tutorial.github.pulls import reviews_of
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import Repository
from tutorial.github.store import Row, Store

KEYS = (
    "required_status_checks",
    "enforce_admins",
    "required_pull_request_reviews",
    "restrictions",
)
WELL = ("success", "skipped", "neutral")


def rule_of(store: Store, branch: str) -> dict[str, Any] | None:
    """Return the rule of a branch as it was given, None where it has none."""
    found = store.rows("SELECT rule FROM protections WHERE branch = ?", branch)
    return dict(json.loads(found[0]["rule"])) if found else None


def protect(store: Store, branch: str, rule: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """Give a branch a rule and return it; what GitHub knows and this does not is refused."""
    actor.demand("administration")
    for key in KEYS:
        if key not in rule:
            raise RefusalError(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.')
    if rule["restrictions"] is not None or set(rule) - set(KEYS):
        raise RefusalError(
            422,
            f"The local GitHub protects a branch by {', '.join(KEYS[:3])}: restrictions are null.",
        )
    checks = rule["required_status_checks"]
    reviews = rule["required_pull_request_reviews"]
    kept: dict[str, Any] = {"enforce_admins": bool(rule["enforce_admins"])}
    if checks is not None:
        named = [one.get("context") for one in checks.get("checks") or ()]
        names = named or list(checks.get("contexts") or ())
        if not all(isinstance(name, str) for name in names):
            raise RefusalError(422, "Invalid request.\n\nA check's context has to be a text.")
        kept["checks"] = {"strict": bool(checks.get("strict")), "names": names}
    if reviews is not None:
        count = reviews.get("required_approving_review_count", 1)
        if not isinstance(count, int) or not 0 <= count <= 6:
            raise RefusalError(
                422, "Invalid request.\n\nrequired_approving_review_count has to be 0 to 6."
            )
        stale = bool(reviews.get("dismiss_stale_reviews"))
        kept["reviews"] = {"count": count, "dismiss_stale": stale}
    unprotect(store, branch, actor)
    (store.state / "protected").touch()  # so that a push need not ask where no branch is
    store.insert("protections", branch=branch, rule=json.dumps(kept))
    return kept


def unprotect(store: Store, branch: str, actor: Actor) -> None:
    """Take a branch's rule away."""
    actor.demand("administration")
    store.delete("protections", branch=branch)
    if not store.rows("SELECT id FROM protections"):
        (store.state / "protected").unlink(missing_ok=True)


def passes_by(rule: dict[str, Any] | None, actor: Actor) -> bool:
    """Tell whether somebody need not heed the rule: an administrator, where it does not bind them."""
    return rule is None or (actor.may("administration") and not rule["enforce_admins"])


def what_blocks(store: Store, repository: Repository, pull: Row) -> list[str]:
    """Return what the rule of the base still asks of a pull request, a sentence each, in GitHub's words."""
    rule = rule_of(store, pull["base_ref"])
    if rule is None:
        return []
    found = []
    if reviews := rule.get("reviews"):
        latest = {
            one["author"]: one["state"]
            for one in reviews_of(store, pull["id"])
            if one["state"] != "COMMENTED" and one["may_write"] and one["author"] != pull["author"]
        }
        approvals = list(latest.values()).count("APPROVED")
        if "CHANGES_REQUESTED" in latest.values():
            found.append("Changes have been requested.")
        if approvals < reviews["count"]:
            missing = reviews["count"] - approvals
            word = "review is" if missing == 1 else "reviews are"
            found.append(
                f"At least {missing} approving {word} required by reviewers with write access."
            )
    if checks := rule.get("checks"):
        concluded = conclusions(store, pull["head_sha"])
        for name in checks["names"]:
            said = concluded.get(name)
            if said is None:
                found.append(f'Required status check "{name}" is expected.')
            elif not all(one in WELL for one in said):
                what = "failing" if all(said) else "in progress"
                found.append(f'Required status check "{name}" is {what}.')
        base = repository.resolve(f"refs/heads/{pull['base_ref']}")
        if checks["strict"] and not repository.is_ancestor(base, pull["head_sha"]):
            found.append("The head branch is not up to date with the base branch: update it.")
    return found


def mergeable_state(store: Store, repository: Repository, pull: Row) -> str:
    """Return how ready a pull request is, in GitHub's word."""
    if pull["state"] == "closed":
        return "unknown"
    if not pull["mergeable"]:
        return "dirty"
    if what_blocks(store, repository, pull):
        return "blocked"
    said = [one for many in conclusions(store, pull["head_sha"]).values() for one in many]
    return "clean" if all(one in WELL for one in said) else "unstable"
