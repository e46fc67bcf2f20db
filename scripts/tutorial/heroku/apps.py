"""The API of accounts, apps, config vars, formation and dynos."""

import re
import secrets
from typing import Any

from aiohttp import web

from tutorial.heroku import forms
from tutorial.heroku.errors import invalid, not_found
from tutorial.heroku.parameters import app_of, body_of, platform_of, text_in
from tutorial.heroku.ranges import part
from tutorial.heroku.records import App

NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
VARIABLE = re.compile(r"\w+", re.ASCII)
CONFIG_BYTES = 64 * 1024
REGIONS = ("us", "eu")


# --- account


async def account(request: web.Request) -> web.Response:
    """GET /account"""
    platform = platform_of(request)
    return web.json_response(forms.of_account(platform.account, platform.started_at))


async def rate_limits(request: web.Request) -> web.Response:
    """GET /account/rate-limits: there is no limit here."""
    return web.json_response({"remaining": 4500})


# --- apps


async def create_app(request: web.Request) -> web.Response:
    """POST /apps"""
    body = await body_of(request)
    name = text_in(body, "name") or f"app-{secrets.token_hex(6)}"
    region = text_in(body, "region") or "us"
    if region not in REGIONS:
        raise not_found("region")
    app = await platform_of(request).create_app(good_name(name), good_stack(body, "stack"))
    return web.json_response(forms.of_app(platform_of(request), app), status=201)


async def list_apps(request: web.Request) -> web.Response:
    """GET /apps"""
    platform = platform_of(request)
    found = [forms.of_app(platform, app) for app in platform.store.apps()]
    return part(request, found, ("name", "id", "updated_at"))


async def show_app(request: web.Request) -> web.Response:
    """GET /apps/{app}"""
    return web.json_response(forms.of_app(platform_of(request), app_of(request)))


async def update_app(request: web.Request) -> web.Response:
    """PATCH /apps/{app}"""
    platform, app, body = platform_of(request), app_of(request), await body_of(request)
    if body.get("maintenance"):
        raise invalid("Maintenance mode is not part of the platform on the laptop.")
    stack = good_stack(body, "build_stack") if body.get("build_stack") else None
    if (name := text_in(body, "name")) is not None:
        platform.rename_app(app, good_name(name))
    platform.store.change_app(app.id, build_stack=stack)
    return web.json_response(forms.of_app(platform, app_of_id(request, app)))


async def delete_app(request: web.Request) -> web.Response:
    """DELETE /apps/{app}"""
    platform, app = platform_of(request), app_of(request)
    form = forms.of_app(platform, app)
    await platform.delete_app(app)
    return web.json_response(form)


async def no_addons(request: web.Request) -> web.Response:
    """GET /apps/{app}/addons: there are none here; the CLI asks."""
    app_of(request)
    return web.json_response([])


def app_of_id(request: web.Request, app: App) -> App:
    """Return the app as it is now."""
    found = platform_of(request).store.app(app.id)
    if found is None:
        raise not_found("app")
    return found


def good_name(name: str) -> str:
    """Return a name that keeps Heroku's rules. Raises `ApiError` with the rule that it breaks."""
    if len(name) < 3:
        raise invalid("Name is too short (minimum is 3 characters)")
    if len(name) > 30:
        raise invalid("Name is too long (maximum is 30 characters)")
    if not NAME.fullmatch(name):
        raise invalid(
            "Name must start with a letter, end with a letter or digit and can only contain "
            "lowercase letters, digits, and dashes."
        )
    return name


def good_stack(body: dict[str, Any], parameter: str) -> str:
    """Return the name of the stack that is asked for by name or id, else the usual one."""
    wanted = text_in(body, parameter) or "heroku-24"
    for name in forms.STACKS:
        if wanted in (name, forms.named("stack", name)["id"]):
            return name
    raise invalid(f"Stack {wanted} is not available: choose one of {', '.join(forms.STACKS)}.")


# --- config vars


async def show_config(request: web.Request) -> web.Response:
    """GET /apps/{app}/config-vars"""
    return web.json_response(dict(app_of(request).config))


async def update_config(request: web.Request) -> web.Response:
    """PATCH /apps/{app}/config-vars: a null removes a variable."""
    app, body = app_of(request), await body_of(request)
    for name, value in body.items():
        if not VARIABLE.fullmatch(name):
            raise invalid(f"The name {name} is not one of a config var: use letters, digits, _.")
        if value is not None and not isinstance(value, str):
            raise invalid(f"The value of {name} must be a string, or null to remove it.")
        if value is not None and "\0" in value:
            raise invalid(f"The value of {name} holds a zero byte: no environment can.")
    after = {**app.config, **{name: value for name, value in body.items() if value is not None}}
    if sum(len(name) + len(value.encode()) for name, value in after.items()) > CONFIG_BYTES:
        raise invalid("Config vars are limited to 64 kB in all.")
    platform_of(request).set_config(app, body)
    return web.json_response(dict(app_of_id(request, app).config))


# --- formation


def formation_of(request: web.Request, app: App) -> list[dict[str, Any]]:
    """Return the app's process types: `web`, or none before its first deploy."""
    store = platform_of(request).store
    current = store.current_release(app.id)
    slug = store.slug(current.slug_id) if current else None
    return [forms.of_formation(app, slug.command)] if slug else []


async def list_formation(request: web.Request) -> web.Response:
    """GET /apps/{app}/formation"""
    return part(request, formation_of(request, app_of(request)), ("type", "id", "updated_at"))


async def show_formation(request: web.Request) -> web.Response:
    """GET /apps/{app}/formation/{type}"""
    return web.json_response(one_formation(request, request.match_info["type"]))


async def update_formation(request: web.Request) -> web.Response:
    """PATCH /apps/{app}/formation"""
    updates = (await body_of(request)).get("updates")
    if not isinstance(updates, list) or not all(isinstance(update, dict) for update in updates):
        raise invalid("Parameter updates must be a list of objects.")
    # All are looked at before the first is done.
    wanted = [read_scale(request, text_in(u, "type", "updates.") or "", u) for u in updates]
    for quantity in wanted:
        scale(request, quantity)
    return web.json_response(formation_of(request, app_of(request)))


async def update_one_formation(request: web.Request) -> web.Response:
    """PATCH /apps/{app}/formation/{type}"""
    kind = request.match_info["type"]
    scale(request, read_scale(request, kind, await body_of(request)))
    return web.json_response(one_formation(request, kind))


def one_formation(request: web.Request, kind: str) -> dict[str, Any]:
    """Return the process type of that name or id."""
    for form in formation_of(request, app_of(request)):
        if kind in (form["type"], form["id"]):
            return form
    raise not_found("process type")


def read_scale(request: web.Request, kind: str, update: dict[str, Any]) -> int | None:
    """Return the number of dynos that is asked for. Raises `ApiError` for what Basic has not."""
    one_formation(request, kind)
    if "docker_image" in update:
        raise invalid("The platform on the laptop has no container registry: POST a build.")
    size = update.get("dyno_size") or update.get("size") or forms.SIZE
    if isinstance(size, dict):
        size = size.get("name") or size.get("id")
    if str(size).lower() not in (forms.SIZE.lower(), forms.named("dyno-size", forms.SIZE)["id"]):
        raise invalid(f"The dyno size {size} is not available: the laptop has {forms.SIZE} only.")
    quantity = update.get("quantity")
    if quantity is None:
        return None
    # Heroku's own CLI sends text, against the schema.
    if isinstance(quantity, bool) or str(quantity) not in ("0", "1"):
        raise invalid("Parameter quantity must be 0 or 1: the laptop runs one web dyno an app.")
    return int(quantity)


def scale(request: web.Request, quantity: int | None) -> None:
    """Run so many dynos."""
    if quantity is not None:
        platform_of(request).scale(app_of(request), quantity)


# --- dynos


def dynos_of(request: web.Request, app: App) -> list[dict[str, Any]]:
    """Return what runs of an app: its web dyno, and its release phase."""
    platform = platform_of(request)
    runner = platform.runner(app)
    found = []
    if (phase := runner.in_release_phase) and (slug := platform.store.slug(phase.slug_id)):
        command = slug.release_command or ""
        found.append(forms.of_dyno(app, "release.1", "up", command, phase, phase.created_at))
    dyno = runner.dyno
    release = platform.store.release(app.id, str(dyno.release))
    slug = platform.store.slug(release.slug_id) if release else None
    if release and slug and dyno.state != "down":
        since = dyno.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        found.append(forms.of_dyno(app, "web.1", dyno.state, slug.command, release, since))
    return found


def one_dyno(request: web.Request) -> dict[str, Any]:
    """Return the dyno of that name or id."""
    wanted = request.match_info["dyno"]
    for form in dynos_of(request, app_of(request)):
        if wanted in (form["name"], form["id"]):
            return form
    raise not_found("dyno")


async def list_dynos(request: web.Request) -> web.Response:
    """GET /apps/{app}/dynos"""
    return part(request, dynos_of(request, app_of(request)), ("name", "id", "updated_at"))


async def show_dyno(request: web.Request) -> web.Response:
    """GET /apps/{app}/dynos/{dyno}"""
    return web.json_response(one_dyno(request))


async def restart_dynos(request: web.Request) -> web.Response:
    """DELETE /apps/{app}/dynos: restart all."""
    return restart(request)


async def restart_dyno(request: web.Request) -> web.Response:
    """DELETE /apps/{app}/dynos/{dyno}"""
    one_dyno(request)
    return restart(request)


async def restart_formation(request: web.Request) -> web.Response:
    """DELETE /apps/{app}/formations/{type}"""
    one_formation(request, request.match_info["type"])
    return restart(request)


def restart(request: web.Request) -> web.Response:
    """Restart the web dyno, and answer before it is up."""
    platform, app = platform_of(request), app_of(request)
    platform.log(app, "Restarted")
    platform.runner(app).restart()
    return web.json_response({}, status=202)


ROUTES = (
    web.get("/account", account),
    web.get("/account/rate-limits", rate_limits),
    web.post("/apps", create_app),
    web.get("/apps", list_apps),
    web.get("/users/~/apps", list_apps),
    web.get("/apps/{app}", show_app),
    web.patch("/apps/{app}", update_app),
    web.delete("/apps/{app}", delete_app),
    web.get("/apps/{app}/addons", no_addons),
    web.get("/apps/{app}/config-vars", show_config),
    web.patch("/apps/{app}/config-vars", update_config),
    web.get("/apps/{app}/formation", list_formation),
    web.patch("/apps/{app}/formation", update_formation),
    web.get("/apps/{app}/formation/{type}", show_formation),
    web.patch("/apps/{app}/formation/{type}", update_one_formation),
    web.get("/apps/{app}/dynos", list_dynos),
    web.delete("/apps/{app}/dynos", restart_dynos),
    web.get("/apps/{app}/dynos/{dyno}", show_dyno),
    web.delete("/apps/{app}/dynos/{dyno}", restart_dyno),
    web.delete("/apps/{app}/formations/{type}", restart_formation),
)
