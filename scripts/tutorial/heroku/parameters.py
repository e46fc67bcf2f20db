"""Reading a request: the platform it is for, the app it names, the parameters in its body."""

import json
from typing import Any

from aiohttp import web

from tutorial.heroku.errors import bad_request, invalid, not_found
from tutorial.heroku.platform import Platform
from tutorial.heroku.records import App

PLATFORM = web.AppKey("platform", Platform)


def platform_of(request: web.Request) -> Platform:
    """Return the platform that is asked."""
    return request.app[PLATFORM]


def app_of(request: web.Request) -> App:
    """Return the app that the path names, by id or name. Raises `ApiError` where there is none."""
    app = platform_of(request).store.app(request.match_info["app"])
    if app is None:
        raise not_found("app")
    return app


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the parameters: a JSON object, empty where there is no body."""
    text = await request.read()
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError:
        raise bad_request("Request body is not valid JSON.") from None
    if not isinstance(content, dict):
        raise bad_request("Request body must be a JSON object.")
    return content


def text_in(body: dict[str, Any], name: str, within: str = "") -> str | None:
    """Return a text parameter, None where it is missing or null. Raises `ApiError` if it is no text."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"Parameter {within}{name} must be a string.")
    return value
