"""The context `github` of a run, and the variables GITHUB_* that say the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutorial.github.coercion import Value
from tutorial.github.expressions import Strict
from tutorial.github.repository import OWNER, Repository

# Of the context, what steps find in their environment.
VARIABLES = (
    *("actor", "api_url", "base_ref", "event_name", "event_path", "graphql_url", "head_ref"),
    *("job", "ref", "ref_name", "ref_type", "ref_protected", "repository", "repository_owner"),
    *("run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor"),
    *("workflow", "workflow_ref", "workflow_sha", "workspace"),
)
# Of a token where no `permissions` are written, in a repository made since February 2023.
USUAL_PERMISSIONS = {"contents": "read", "packages": "read"}
# Until something answers there: a lone host, so that nothing goes elsewhere by mistake.
ADDRESSES = {
    "server_url": "http://127.0.0.1",
    "api_url": "http://127.0.0.1/api/v3",
    "graphql_url": "http://127.0.0.1/api/graphql",
}


def github_context(run: Mapping[str, Any], payload: Mapping[str, Any], state: Path) -> Strict:
    """Return the context of a run; a job adds `job`, `workspace`, `token`, `event_path` and `action`."""
    ref = str(run["ref"])
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    request: Mapping[str, Any] = payload.get("pull_request") or {}
    addresses = addresses_of(state)
    name = Repository(state).full_name
    actor = str((payload.get("sender") or {}).get("login", OWNER))
    values: dict[str, Value] = {
        "actor": actor,
        "base_ref": request.get("base", {}).get("ref", ""),
        "event": dict(payload),
        "event_name": run["event"],
        "head_ref": request.get("head", {}).get("ref", ""),
        "ref": ref,
        "ref_name": ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if kind == "tag" or ref.startswith("refs/heads/")
        else ref.removeprefix("refs/pull/"),
        "ref_protected": "false",
        "ref_type": kind,
        "repository": name,
        "repository_owner": OWNER,
        "run_attempt": "1",
        "run_id": str(run["id"]),
        "run_number": str(run["number"]),
        "sha": run["sha"],
        "triggering_actor": actor,
        "workflow": run["workflow"],
        "workflow_ref": f"{name}/{run['file']}@{ref}",
        "workflow_sha": run["sha"],
        **addresses,
    }
    return Strict(values)


def addresses_of(state: Path) -> dict[str, str]:
    """Return where the local GitHub answers: what `addresses.json` in its folder says, if it is there."""
    try:
        said = json.loads((state / "addresses.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    given = said if isinstance(said, dict) else {}
    return {name: str(given.get(name, address)) for name, address in ADDRESSES.items()}


def gets_secrets(payload: Mapping[str, Any]) -> bool:
    """Tell whether a run may have secrets: one for a fork's pull request may not."""
    request: Mapping[str, Any] = payload.get("pull_request") or {}
    return not ((request.get("head") or {}).get("repo") or {}).get("fork", False)


def token_permissions(
    job: Mapping[str, str] | None, workflow: Mapping[str, str] | None, payload: Mapping[str, Any]
) -> dict[str, str]:
    """Return what a job's token may do: what is written; for a fork's pull request, reading alone."""
    said = next((one for one in (job, workflow) if one is not None), USUAL_PERMISSIONS)
    given = {name.replace("-", "_"): level for name, level in said.items()}
    if not gets_secrets(payload):
        given = {name: "read" for name, level in given.items() if level != "none"}
    return {"metadata": "read", **given}


def variables(context: Mapping[str, Value]) -> dict[str, str]:
    """Return the variables GITHUB_* that a step finds."""
    return {f"GITHUB_{name.upper()}": str(context.get(name) or "") for name in VARIABLES}
