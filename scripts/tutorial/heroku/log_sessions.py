"""The API of logs: a session is an address that gives an app's lines, once or as they come."""

import contextlib
from collections.abc import Callable

from aiohttp import web

from tutorial.heroku.errors import invalid, not_found
from tutorial.heroku.logs import KEPT, Line, Wanted
from tutorial.heroku.parameters import app_of, body_of, platform_of, text_in
from tutorial.heroku.records import new_id, now

SESSION_SECONDS = 300
USUAL_LINES = 100


async def create_session(request: web.Request) -> web.Response:
    """POST /apps/{app}/log-sessions"""
    platform, app, body = platform_of(request), app_of(request), await body_of(request)
    lines, tail = body.get("lines"), body.get("tail")
    if lines is not None and (isinstance(lines, bool) or not isinstance(lines, int) or lines < 0):
        raise invalid("Parameter lines must be a number of lines.")
    if tail is not None and not isinstance(tail, bool):
        raise invalid("Parameter tail must be true or false.")
    query = {
        "lines": str(min(USUAL_LINES if lines is None else lines, KEPT)),
        "tail": str(bool(tail)),
    }
    # The schema names `dyno_name` and `type`; Heroku's own CLI sends `dyno`.
    names = ("dyno_name", "dyno", "type")
    if process := next((text for name in names if (text := text_in(body, name))), None):
        query["process"] = process
    if source := text_in(body, "source"):
        query["source"] = source
    stamp = now()
    url = platform.signer.url(f"/logs/{app.id}", SESSION_SECONDS, query)
    form = {"created_at": stamp, "id": new_id(), "logplex_url": url, "updated_at": stamp}
    return web.json_response(form, status=201)


async def show_log(request: web.Request) -> web.StreamResponse:
    """GET a `logplex_url`: text, or events where the `Accept` header asks for them."""
    platform = platform_of(request)
    platform.signer.check(request)
    app = platform.store.app(request.match_info["app"])
    if app is None:
        raise not_found("app")
    query = request.query
    wanted = Wanted(query.get("source"), query.get("process"))
    end = platform.logs.end(app.id)
    events = "text/event-stream" in request.headers.get("Accept", "")
    seen = request.headers.get("Last-Event-ID", "")
    first = platform.logs.last(app.id, int(query["lines"]), wanted)
    if seen.isdecimal():  # it comes again after the connection was lost
        first, end = [], int(seen)
    write: Callable[[Line], str] = as_event if events else as_text
    kind = "text/event-stream" if events else "text/plain; charset=utf-8"
    response = web.StreamResponse(headers={"Content-Type": kind, "Cache-Control": "no-cache"})
    await response.prepare(request)
    tail = query["tail"] == "True"
    with contextlib.suppress(ConnectionError):  # who listened has gone
        if events and not tail:
            # Heroku's CLI sits out the pause before a reconnection, 3 s if not told otherwise.
            await response.write(b"retry: 1\n\n")
        await response.write("".join(map(write, first)).encode())
        if tail:
            async for line in platform.logs.follow(app.id, end, wanted):
                await response.write(write(line).encode())
    return response


def as_text(line: Line) -> str:
    """Write a line as Heroku's log shows it."""
    return f"{line}\n"


def as_event(line: Line) -> str:
    """Write a line as a server-sent event."""
    return f"id: {line.number}\ndata: {line}\n\n"


ROUTES = (
    web.post("/apps/{app}/log-sessions", create_session),
    web.get("/logs/{app}", show_log),
)
