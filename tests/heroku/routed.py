"""A router with a stub in its dyno's place, and servers that stand behind the stub."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
from aiohttp import web
from small_images import Remembered, soon

from tutorial.heroku.dynos import DynoDownError, WebDyno
from tutorial.heroku.router import Router

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StubDyno:
    """A dyno whose state a test sets; `at` is where its server listens."""

    def __init__(self) -> None:
        self.at: tuple[str, int] | None = None
        self.down: DynoDownError | None = None
        self.news = asyncio.Event()

    def become(self, at: tuple[str, int] | None, down: DynoDownError | None = None) -> None:
        self.at, self.down = at, down
        self.news.set()
        self.news = asyncio.Event()

    async def address(self, timeout: float) -> tuple[str, int]:
        try:
            async with asyncio.timeout(timeout):
                while self.at is None and self.down is None:
                    await self.news.wait()
        except TimeoutError:
            raise DynoDownError("H20", "App boot timeout") from None
        if self.down:
            raise self.down
        assert self.at
        return self.at


class Routed:
    """A router, its stub of a dyno, its log, and a client."""

    def __init__(self, dyno: StubDyno, log: Remembered, session: aiohttp.ClientSession) -> None:
        self.dyno = dyno
        self.log = log
        self.session = session
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str = "/", **options: Any) -> tuple[int, str]:
        async with self.session.get(self.url + path, **options) as answer:
            return answer.status, await answer.text()

    async def line(self) -> str:
        """The router's last log line, once there is one."""
        await soon(lambda: self.log.messages(process="router"), "a line")
        return self.log.messages(process="router")[-1]


@asynccontextmanager
async def routed(hold: float = 20) -> AsyncIterator[Routed]:
    log, dyno = Remembered(), StubDyno()
    subject = Router(cast("WebDyno", dyno), log, hold)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        here = Routed(dyno, log, session)
        here.port = await subject.start(0)
        try:
            yield here
        finally:
            await subject.stop()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[str, int]]:
    """A server in the dyno's place."""
    runner = web.ServerRunner(web.Server(handler, auto_decompress=False), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][:2]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(handler: RawHandler) -> AsyncIterator[tuple[str, int]]:
    """A server that writes what it likes, after it has read the head of a request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")
