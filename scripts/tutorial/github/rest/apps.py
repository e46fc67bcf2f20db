"""Apps: who they are, where they are installed, and their tokens."""

import json

from tutorial.github import apps
from tutorial.github.forms import Json, node_id, when
from tutorial.github.people import identity
from tutorial.github.repository import OWNER
from tutorial.github.rest.asking import Ask, Reply, Route
from tutorial.github.store import Row
from tutorial.github.tokens import revoke


def _app(ask: Ask, app: Row) -> Json:
    return {
        "id": apps.APP + app["id"],
        "slug": app["slug"],
        "client_id": app["client_id"],
        "node_id": node_id("App", app["id"]),
        "owner": ask.forms.user(OWNER),
        "name": app["name"],
        "description": None,
        "external_url": ask.forms.pages,
        "html_url": f"{ask.forms.web}/apps/{app['slug']}",
        "created_at": when(app["created"]),
        "updated_at": when(app["created"]),
        "permissions": json.loads(app["permissions"]),
        "events": [],
        "installations_count": 1,
    }


def show_app(ask: Ask) -> Reply:
    """GET /app."""
    return Reply(200, _app(ask, ask.app))


def show_installation(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/installation."""
    number = apps.INSTALLATION + ask.app["id"]
    said = {
        "id": number,
        "app_id": apps.APP + ask.app["id"],
        "client_id": ask.app["client_id"],
        "app_slug": ask.app["slug"],
        "target_id": identity(OWNER),
        "target_type": "User",
        "account": ask.forms.user(OWNER),
        "repository_selection": "selected",
        "access_tokens_url": f"{ask.forms.api}/app/installations/{number}/access_tokens",
        "repositories_url": f"{ask.forms.api}/installation/repositories",
        "html_url": f"{ask.forms.web}/settings/installations/{number}",
        "permissions": json.loads(ask.app["permissions"]),
        "events": [],
        "single_file_name": None,
        "created_at": when(ask.app["created"]),
        "updated_at": when(ask.app["created"]),
        "suspended_by": None,
        "suspended_at": None,
    }
    return Reply(200, said)


def make_token(ask: Ask) -> Reply:
    """POST /app/installations/ID/access_tokens."""
    given = ask.fields() if ask.body is not None else {}
    names = given.get("repositories")
    permissions = given.get("permissions")
    made = apps.installation_token(
        ask.store,
        ask.app,
        ask.number("installation"),
        permissions if isinstance(permissions, dict) else None,
        [str(name) for name in names] if isinstance(names, list) else None,
    )
    said = {
        "token": made["token"],
        "expires_at": when(made["expires"]),
        "permissions": made["permissions"],
        "repository_selection": "selected",
        "repositories": [ask.forms.repository()],
    }
    return Reply(201, said)


def end_token(ask: Ask) -> Reply:
    """DELETE /installation/token."""
    revoke(ask.store, ask.token)
    return Reply(204)


def show_repositories(ask: Ask) -> Reply:
    """GET /installation/repositories."""
    return Reply(200, {"total_count": 1, "repositories": [ask.forms.repository()]})


ROUTES = [
    Route("GET", "/app", show_app, jwt=True),
    Route("GET", "/repos/{owner}/{repo}/installation", show_installation, jwt=True),
    Route("POST", "/app/installations/{installation}/access_tokens", make_token, jwt=True),
    Route("DELETE", "/installation/token", end_token),
    Route("GET", "/installation/repositories", show_repositories),
]
