"""One request on its way through the router: its headers on either side, and what the log says of it."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

VIA = "1.1 heroku-router"
# RFC 9110, section 7.6.1, and what else is between two neighbours.
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "expect",
}  # fmt: skip
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{20,200}")


@dataclass
class Exchange:
    """A request, and what the log will say of it."""

    request: web.BaseRequest
    request_id: str = field(init=False)  # the client's own if it has the form of one
    began: float = field(default_factory=time.monotonic)
    connecting: float | None = None
    connect: float | None = None  # seconds
    dyno: str = ""
    joined: bool = False  # a web socket both ways: it may end at any time
    sent: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        given = self.request.headers.get("X-Request-Id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())

    def line(self, at: str, status: int, size: int | None, protocol: str = "http") -> str:
        """Return the router's log line; `at` may carry an error's code and description."""
        request = self.request
        connect = "" if self.connect is None else f"{self.connect * 1000:.0f}ms"
        service = f"{(time.monotonic() - self.began) * 1000:.0f}ms" if self.dyno else ""
        return (
            f'at={at} method={request.method} path="{_quoted(request.raw_path)}" '
            f"host={_quoted(request.host)} request_id={self.request_id} "
            f'fwd="{_quoted(forwarded_for(request))}" dyno={self.dyno} connect={connect} '
            f"service={service} status={status} bytes={'' if size is None else size} "
            f"protocol={protocol}"
        )

    def headers(self, port: int) -> "CIMultiDict[str]":
        """Return what the dyno is sent: the client's headers, and those that say whence the request came."""
        request = self.request
        headers = end_to_end(request.headers)
        headers["X-Forwarded-For"] = forwarded_for(request)
        headers["X-Forwarded-Proto"] = "http"
        headers["X-Forwarded-Port"] = str(port)
        headers["X-Request-Id"] = self.request_id
        headers["X-Request-Start"] = str(int(time.time() * 1000))
        headers["Via"] = ", ".join([*request.headers.getall("Via", []), VIA])
        return headers


def forwarded_for(request: web.BaseRequest) -> str:
    """Return who asked, after those whom the request itself names."""
    return ", ".join([*request.headers.getall("X-Forwarded-For", []), request.remote or "unknown"])


def end_to_end(headers: Any) -> "CIMultiDict[str]":
    """Return the headers that are not between two neighbours alone."""
    named = {
        name.strip().lower()
        for value in headers.getall("Connection", [])
        for name in value.split(",")
    }
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in HOP_BY_HOP | named:
            kept.add(name, value)
    return kept


def _quoted(text: str) -> str:
    return re.sub(r"[\"\x00-\x1f\x7f]", lambda match: f"%{ord(match[0]):02X}", text)


async def connecting(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: object
) -> None:
    exchange = context.trace_request_ctx
    if exchange is not None:
        exchange.connecting = time.monotonic()


async def connected(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: object
) -> None:
    exchange = context.trace_request_ctx
    if exchange is not None:
        exchange.connect = time.monotonic() - exchange.connecting
        if not exchange.request.body_exists:
            exchange.sent.set()
