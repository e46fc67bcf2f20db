"""The router of one app: a port of its own, requests held while the dyno starts, Heroku's errors and log lines."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tutorial.heroku.dynos import DynoDownError, Log, WebDyno
from tutorial.heroku.exchange import VIA, Exchange, connected, connecting, end_to_end
from tutorial.heroku.tunnel import join

HANDSHAKE = re.compile(r"sec-websocket-.*", re.IGNORECASE)
FIRST_BYTE = 30.0  # seconds from the end of a request to the first byte of its answer
CONNECT = 5.0  # seconds
RETRY = 0.1  # seconds between two attempts to reach a dyno
REFUSED = 5.0  # seconds for which a dyno that is up may refuse connections
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Application error</title></head>
<body>
<h1>Application error</h1>
<p>The application did not answer. If you are its owner, its log says why.</p>
</body>
</html>
"""


class Router:
    """Takes requests at a port of the loopback interface and passes them to the dyno.

    A request waits `hold` seconds at most for a dyno that starts.
    """

    def __init__(self, dyno: WebDyno, log: Log, hold: float = 75) -> None:
        self._dyno = dyno
        self._log = log
        self._hold = hold
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = 0

    async def start(self, port: int) -> int:
        """Listen at the port, any free one if it is 0, and return it. Raises `OSError` if it is taken."""
        server = web.Server(self._handle, handler_cancellation=True, auto_decompress=False)
        runner = web.ServerRunner(server, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except BaseException:
            await runner.cleanup()
            raise
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(connecting)
        trace.on_connection_create_end.append(connected)
        self._session = aiohttp.ClientSession(
            # Always a new connection: one that was kept might end just when it is used again.
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trace_configs=[trace],
            max_line_size=1 << 16,
            max_field_size=1 << 16,
        )
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        return self._port

    async def stop(self) -> None:
        """Stop listening, and cut off who is being answered."""
        runner, self._runner = self._runner, None
        session, self._session = self._session, None
        if runner is not None:
            await runner.cleanup()
        if session is not None:
            await session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(request)
        try:
            if not request.raw_path.startswith("/"):
                return web.Response(status=400, text="The router takes paths that begin with /.\n")
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._tunnel(exchange)
            return await self._forward(exchange)
        except DynoDownError as error:
            self._log_line(exchange, f'error code={error.code} desc="{error.description}"', 503, 0)
            return web.Response(
                status=503,
                text=PAGE,
                content_type="text/html",
                headers={"Cache-Control": "no-cache, no-store"},
            )
        except (
            asyncio.CancelledError,
            ConnectionError,
        ):  # the client went away, or the router stops
            if exchange.joined:
                self._log_line(exchange, "info", 101, None)
            else:
                at = 'warning code=H27 desc="Client Request Interrupted"'
                self._log_line(exchange, at, 499, None)
            raise

    def _log_line(
        self, exchange: Exchange, at: str, status: int, size: int | None, protocol: str = "http"
    ) -> None:
        self._log("heroku", "router", exchange.line(at, status, size, protocol))

    # --- to the dyno

    async def _reach(self, exchange: Exchange, ask: Any) -> Any:
        """Return what `ask(URL)` returns once a dyno takes the connection.

        What has not been sent is held for the dyno that comes. A request that can do no harm twice, and to which the
        old dyno gave no answer when it went away, is sent once more. Raises `DynoDownError`.
        """
        request = exchange.request
        deadline = time.monotonic() + self._hold
        again = request.method in ("GET", "HEAD") and not request.body_exists
        refused: tuple[tuple[str, int], float] | None = None
        while True:
            address = await self._dyno.address(max(0.0, deadline - time.monotonic()))
            exchange.dyno = "web.1"
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            try:
                return await ask(URL(f"http://{host}:{address[1]}{request.raw_path}", encoded=True))
            except aiohttp.WSServerHandshakeError:
                raise
            except aiohttp.ServerTimeoutError:
                raise DynoDownError("H19", "Backend connection timeout") from None
            except aiohttp.ClientConnectorError:
                # Its end is known here a moment before it is known to the dyno.
                if refused is None or refused[0] != address:
                    refused = (address, time.monotonic())
                if time.monotonic() - refused[1] > REFUSED:
                    raise DynoDownError("H21", "Backend connection refused") from None
                await asyncio.sleep(RETRY)
            except aiohttp.ClientConnectionError:
                if not again or not await self._is_gone(address):
                    raise DynoDownError("H13", "Connection closed without response") from None
                again = False
            except aiohttp.ClientResponseError:
                raise DynoDownError("H17", "Poorly formatted HTTP response") from None

    async def _is_gone(self, address: tuple[str, int]) -> bool:
        """Tell whether the dyno that was there has ended: its end is noticed a moment later."""
        for _ in range(5):
            with suppress(DynoDownError):
                if await self._dyno.address(0) == address:
                    await asyncio.sleep(RETRY)
                    continue
            return True
        return False

    async def _forward(self, exchange: Exchange) -> web.StreamResponse:
        request, session = exchange.request, self._session
        if session is None:
            raise DynoDownError("H14", "No web processes running")

        async def body() -> AsyncIterator[bytes]:
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            async for chunk in request.content.iter_any():
                yield chunk
            exchange.sent.set()

        async def ask(url: URL) -> aiohttp.ClientResponse:
            asking = asyncio.ensure_future(
                session.request(
                    request.method,
                    url,
                    headers=exchange.headers(self._port),
                    data=body() if request.body_exists else None,
                    allow_redirects=False,
                    trace_request_ctx=exchange,
                )
            )
            sent = asyncio.ensure_future(exchange.sent.wait())
            try:
                await asyncio.wait({asking, sent}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({asking}, timeout=FIRST_BYTE)
                if not asking.done():
                    raise DynoDownError("H12", "Request timeout")
                return await asking
            finally:
                sent.cancel()
                asking.cancel()

        upstream: aiohttp.ClientResponse = await self._reach(exchange, ask)
        try:
            return await self._answer(exchange, upstream)
        finally:
            upstream.close()

    async def _answer(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """Pass the dyno's answer on as it comes."""
        request = exchange.request
        headers = end_to_end(upstream.headers)
        headers["Via"] = ", ".join([*upstream.headers.getall("Via", []), VIA])
        response = web.StreamResponse(
            status=upstream.status, reason=upstream.reason, headers=headers
        )
        size = 0
        await response.prepare(request)
        while True:
            try:
                chunk = await upstream.content.readany()
            except aiohttp.ClientError:
                at = 'error code=H18 desc="Server Request Interrupted"'
                self._log_line(exchange, at, 503, size)
                _cut_off(request)
                return response
            if not chunk:
                break
            await response.write(chunk)
            size += len(chunk)
        await response.write_eof()
        self._log_line(exchange, "info", upstream.status, size)
        return response

    async def _tunnel(self, exchange: Exchange) -> web.StreamResponse:
        """Connect to the dyno first: the client is promised what the dyno has agreed to."""
        request, session = exchange.request, self._session
        if session is None:
            raise DynoDownError("H14", "No web processes running")
        offered = request.headers.getall("Sec-WebSocket-Protocol", [])
        protocols = [name.strip() for names in offered for name in names.split(",") if name.strip()]
        headers = exchange.headers(self._port)
        for name in [name for name in headers if HANDSHAKE.fullmatch(name)]:
            headers.popall(name, None)

        async def ask(url: URL) -> aiohttp.ClientWebSocketResponse:
            opening = session.ws_connect(
                url,
                protocols=protocols,
                headers=headers,
                autoclose=False,
                autoping=False,
                max_msg_size=0,
            )
            return await asyncio.wait_for(opening, FIRST_BYTE)

        try:
            dyno: aiohttp.ClientWebSocketResponse = await self._reach(exchange, ask)
        except aiohttp.WSServerHandshakeError as error:
            self._log_line(exchange, "info", error.status, 0)
            return web.Response(status=error.status, text=f"{error.status}\n")
        except TimeoutError:
            raise DynoDownError("H12", "Request timeout") from None
        try:
            client = web.WebSocketResponse(
                protocols=[dyno.protocol] if dyno.protocol else [],
                autoclose=False,
                autoping=False,
                compress=False,
                max_msg_size=0,
            )
            await client.prepare(request)
            exchange.joined = True
            ending, by_client = await join(client, dyno)
        finally:
            await dyno.close(code=1001)
        if ending.code is None and not by_client:
            _cut_off(request)
        self._log_line(exchange, "info", 101, None)
        return client


def _cut_off(request: web.BaseRequest) -> None:
    """End the connection so that the client can tell that it was not meant to end here."""
    if isinstance(request.transport, asyncio.Transport):
        request.transport.abort()
