"""The API over HTTP: who asks, what may be asked, what a refusal looks like.

It asks of every token what GitHub asks for a private repository: a workflow that does without a permission
here does so on GitHub.
"""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from tutorial.errors import TutorialError
from tutorial.github.apps import authenticate
from tutorial.github.artifacts import archive_of
from tutorial.github.page import pull_document
from tutorial.github.people import Actor
from tutorial.github.refusals import RefusalError, not_found
from tutorial.github.repository import NAME, OWNER
from tutorial.github.rest import actions, apps, commits, issues, pulls
from tutorial.github.rest.asking import Ask, Reply, Route
from tutorial.github.store import Store
from tutorial.github.tokens import actor_of

PREFIX = "/api/v3"
STORE = web.AppKey("store", Store)
ROUTES = [*apps.ROUTES, *pulls.ROUTES, *issues.ROUTES, *actions.ROUTES, *commits.ROUTES]
LARGEST = 1024 * 1024  # bytes of a request
SAFE = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'"


def make_api(store: Store) -> web.Application:
    """Return the API, and the pages, of a local GitHub."""
    api = web.Application(middlewares=[refusals_in_json], client_max_size=LARGEST)
    api[STORE] = store
    api.router.add_get("/_health", health)
    api.router.add_get("/_artifacts/{artifact}", send_archive)
    api.router.add_get(f"/{OWNER}/{NAME}/pull/{{number}}", send_page)
    for route in ROUTES:
        api.router.add_route(route.method, PREFIX + route.path, _handler(route))
    return api


async def health(request: web.Request) -> web.Response:
    """Say that the service is there."""
    return web.json_response({"status": "ok"})


@web.middleware
async def refusals_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in GitHub's form."""
    try:
        return await handler(request)
    except RefusalError as error:
        return _refusal(error.status, error.args[0], error.errors)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return _refusal(404, "Not Found")
    except web.HTTPRequestEntityTooLarge:
        return _refusal(413, "The request is larger than 1 MB.")
    except web.HTTPException:
        raise
    except TutorialError as error:
        logging.error("%s %s: %s", request.method, request.path, error)
        return _refusal(500, str(error))
    except Exception:
        logging.exception("%s %s broke off", request.method, request.path)
        return _refusal(500, "The local GitHub's own fault: see its log.")


def _refusal(status: int, message: str, errors: tuple[dict[str, str], ...] = ()) -> web.Response:
    said: dict[str, Any] = {"message": message}
    if errors:
        said["errors"] = list(errors)
    address = "https://docs.github.com/rest"
    return web.json_response(
        {**said, "documentation_url": address, "status": str(status)}, status=status
    )


def _handler(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        store = request.app[STORE]
        # Git and the disk are waited for elsewhere, so that others are answered meanwhile.
        reply = await asyncio.to_thread(_answer, route, request, store, raw)
        if reply.body is None:
            return web.Response(status=reply.status, headers=reply.headers)
        return web.json_response(reply.body, status=reply.status, headers=reply.headers)

    return handle


def _answer(route: Route, request: web.Request, store: Store, raw: bytes) -> Reply:
    token = _token_in(request.headers.get("Authorization", ""))
    actor, app = Actor(""), {}
    if route.jwt:
        app = authenticate(store, token)
    elif not token:
        # As of a private repository: nobody is told that it is there.
        raise (
            not_found() if request.method == "GET" else RefusalError(401, "Requires authentication")
        )
    else:
        found = actor_of(store, token)
        if found is None:
            raise RefusalError(401, "Bad credentials")
        actor = found
    named = request.match_info
    if "repo" in named and (named["owner"].lower(), named["repo"].lower()) != (OWNER, NAME):
        raise not_found()
    if route.permissions:
        actor.demand(*route.permissions, level=route.level)
    ask = Ask(
        store=store,
        actor=actor,
        app=app,
        token=token,
        path=dict(named),
        query=dict(request.query),
        body=_body(raw),
        url=str(request.url.with_query(None)),
    )
    return route.answer(ask)


def _token_in(header: str) -> str:
    scheme, _, given = header.partition(" ")
    return given.strip() if scheme.lower() in ("bearer", "token") else ""


def _body(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise RefusalError(400, "Problems parsing JSON") from None


async def send_archive(request: web.Request) -> web.StreamResponse:
    """Send the zip file of an artifact to whoever has the address that was given out."""
    number, until = request.match_info["artifact"], request.query.get("until", "")
    if not number.isdecimal() or not until.isdecimal() or int(until) < time.time():
        raise not_found()
    wanted = actions.signature(int(number), int(until))
    if not hmac.compare_digest(wanted, request.query.get("signature", "")):
        raise not_found()
    store = request.app[STORE]
    archive = archive_of(store, actions.find_artifact(store, int(number)))
    headers = {"Content-Type": "application/zip"}
    return web.FileResponse(archive, headers=headers)


async def send_page(request: web.Request) -> web.StreamResponse:
    """Show a pull request to a person; in a page of which nothing is executed."""
    number = request.match_info["number"]
    if not number.isdecimal() or len(number) > 15:
        raise not_found()
    state = request.app[STORE].state
    text = await asyncio.to_thread(pull_document, state, int(number))
    headers = {"Content-Security-Policy": SAFE, "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/html", headers=headers)
