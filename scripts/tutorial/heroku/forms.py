"""What the API says of things: the JSON forms of its published schema, every property of each."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tutorial.heroku.platform import Account, Platform
from tutorial.heroku.records import App, Build, Release, Slug

STREAM_SECONDS = 24 * 3600  # how long the address of an output is good for
STACKS = ("container", "heroku-22", "heroku-24", "heroku-26")
SIZE = "Basic"
MEMORY = 0.5  # GB


def named(kind: str, name: str) -> dict[str, str]:
    """Return the reference to one of the things that every platform has: a stack, a region ..."""
    return {"id": str(uuid5(NAMESPACE_URL, f"{kind}/{name}")), "name": name}


def of_account(account: Account, since: str) -> dict[str, Any]:
    """Describe the account."""
    return {
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        "created_at": since,
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "email": account.email,
        "federated": False,
        "id": account.id,
        "identity_provider": None,
        "last_login": since,
        "name": None,
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": False,
        "updated_at": since,
        "verified": True,
    }


def user(account: Account) -> dict[str, str]:
    """Refer to the account."""
    return {"email": account.email, "id": account.id}


def of_app(platform: Platform, app: App) -> dict[str, Any]:
    """Describe an app. Its `web_url` is a port of its own; there is no git remote behind `git_url`."""
    return {
        "acm": False,
        "archived_at": None,
        "build_stack": named("stack", app.build_stack),
        "buildpack_provided_description": None,
        "created_at": app.created_at,
        "generation": named("generation", "cedar"),
        "git_url": f"https://git.heroku.com/{app.name}.git",
        "id": app.id,
        "internal_routing": None,
        "maintenance": False,
        "name": app.name,
        "organization": None,
        "owner": user(platform.account),
        "region": named("region", "us"),
        "released_at": app.released_at,
        "repo_size": None,
        "slug_size": None,
        "space": None,
        "stack": named("stack", app.stack),
        "team": None,
        "updated_at": app.updated_at,
        "web_url": f"http://127.0.0.1:{app.port}/",
    }


def of_build(platform: Platform, app: App, build: Build) -> dict[str, Any]:
    """Describe a build."""
    return {
        "app": {"id": app.id},
        "buildpacks": None,
        "created_at": build.created_at,
        "generation": "cedar",
        "id": build.id,
        "output_stream_url": platform.signer.url(f"/streams/{build.id}", STREAM_SECONDS),
        "release": {"id": build.release_id} if build.release_id else None,
        "slug": {"id": build.slug_id} if build.slug_id else None,
        "source_blob": {
            "checksum": build.checksum,
            "url": build.url,
            "version": build.revision,
            "version_description": build.revision_description,
        },
        "stack": app.build_stack,
        "status": build.status,
        "updated_at": build.updated_at,
        "user": user(platform.account),
    }


def of_release(
    platform: Platform, app: App, release: Release, current: Release | None
) -> dict[str, Any]:
    """Describe a release."""
    stream = platform.signer.url(f"/streams/{release.id}", STREAM_SECONDS)
    return {
        "addon_plan_names": [],
        "app": {"id": app.id, "name": app.name},
        "artifacts": [{"id": release.slug_id, "type": "slug"}] if release.slug_id else [],
        "created_at": release.created_at,
        "current": current is not None and current.id == release.id,
        "description": release.description,
        "eligible_for_rollback": platform.is_eligible(app, release),
        "id": release.id,
        "output_stream_url": stream if release.has_output else None,
        "slug": {"id": release.slug_id} if release.slug_id else None,
        "status": release.status,
        "updated_at": release.updated_at,
        "user": user(platform.account),
        "version": release.version,
    }


def of_slug(platform: Platform, app: App, slug: Slug) -> dict[str, Any]:
    """Describe a slug: the commit that it was made of, and its commands."""
    release = {"release": slug.release_command} if slug.release_command else {}
    return {
        "blob": {"method": "GET", "url": platform.signer.url(f"/slugs/{slug.id}", 0)},
        "buildpack_provided_description": None,
        "checksum": slug.checksum,
        "commit": slug.revision,
        "commit_description": slug.revision_description,
        "created_at": slug.created_at,
        "deleted_at": None,
        "id": slug.id,
        "process_types": {"web": slug.command, **release},
        "size": slug.size,
        "stack": named("stack", app.stack),
        "updated_at": slug.created_at,
    }


def of_formation(app: App, command: str) -> dict[str, Any]:
    """Describe the one process type of a deployed app."""
    return {
        "app": {"id": app.id, "name": app.name},
        "command": command,
        "created_at": app.formed_at,
        "dyno_size": named("dyno-size", SIZE),
        "id": str(uuid5(NAMESPACE_URL, f"formation/{app.id}/web")),
        "quantity": app.quantity,
        "size": SIZE,
        "type": "web",
        "updated_at": app.updated_at,
    }


def of_dyno(
    app: App, name: str, state: str, command: str, release: Release, since: str
) -> dict[str, Any]:
    """Describe a dyno; `since` is when it came into its state."""
    return {
        "app": {"id": app.id, "name": app.name},
        "attach_url": None,
        "command": command,
        "created_at": since,
        "id": str(uuid5(NAMESPACE_URL, f"dyno/{app.id}/{name}/{release.version}")),
        "name": name,
        "release": {"id": release.id, "version": release.version},
        "size": SIZE,
        "state": state,
        "type": name.partition(".")[0],
        "updated_at": since,
    }
