"""The Platform API over HTTP: who may ask, what an error looks like, which path is whose."""

import base64
import binascii
import hmac
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from tutorial.heroku import apps, deploys, log_sessions
from tutorial.heroku.errors import ApiError, unauthorized
from tutorial.heroku.parameters import PLATFORM
from tutorial.heroku.platform import Platform

KEY = web.AppKey("key", str)
# No key is asked for: a health check, and the addresses that are signed.
OPEN = ("/_health", "/sources/", "/streams/", "/logs/")


def make_api(platform: Platform, key: str) -> web.Application:
    """Return the API of a platform, for whoever has the key."""
    api = web.Application(middlewares=[errors_in_json, ask_for_the_key])
    api[PLATFORM] = platform
    api[KEY] = key
    api.router.add_get("/_health", health)
    api.add_routes(apps.ROUTES)
    api.add_routes(deploys.ROUTES)
    api.add_routes(log_sessions.ROUTES)
    api.on_shutdown.append(let_go)
    return api


async def health(request: web.Request) -> web.Response:
    """Say that the platform is there."""
    return web.json_response({"status": "ok"})


async def let_go(api: web.Application) -> None:
    """End the streams, so that the platform can."""
    api[PLATFORM].logs.let_go()
    api[PLATFORM].outputs.close_all()


@web.middleware
async def errors_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in Heroku's form."""
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(error.body, status=error.status)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        missing = {"id": "not_found", "message": "The requested API endpoint was not found."}
        return web.json_response(missing, status=404)
    except web.HTTPRequestEntityTooLarge:
        large = {"id": "bad_request", "message": "Request body is larger than 1 MB."}
        return web.json_response(large, status=413)
    except web.HTTPException:
        raise
    except Exception:
        logging.exception("%s %s broke off", request.method, request.path)
        broken = {
            "id": "internal_server_error",
            "message": "The platform's own fault: see its log.",
        }
        return web.json_response(broken, status=500)


@web.middleware
async def ask_for_the_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let pass who has the key and speaks version 3."""
    if request.path.startswith(OPEN):
        return await handler(request)
    given = key_in(request.headers.get("Authorization", ""))
    if not hmac.compare_digest(given.encode(), request.app[KEY].encode()):
        raise unauthorized()
    if "version=3" not in request.headers.get("Accept", ""):
        raise ApiError(
            406, "not_acceptable", "Send the header Accept: application/vnd.heroku+json; version=3."
        )
    return await handler(request)


def key_in(header: str) -> str:
    """Return the key of an `Authorization` header: a bearer token, or the password of a user."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
