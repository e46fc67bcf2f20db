"""The router: what it passes on, what it holds, and what it says when there is nobody to pass it to."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from small_images import SERVER, Remembered, in_a_loop, script_image, soon

from tutorial.heroku import router
from tutorial.heroku.dynos import DynoDownError, WebDyno
from tutorial.heroku.packages import make_layer
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


# --- passing on


@in_a_loop
async def test_a_request_and_its_answer_are_passed_on_as_they_are() -> None:
    seen: dict[str, Any] = {}

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.update(path=request.raw_path, method=request.method, headers=request.headers.copy())
        seen["body"] = await request.read()
        answer = web.Response(status=418, reason="Teapot", body=b"\x1f\x8bnot really gzip")
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers.add("Set-Cookie", "a=1")
        answer.headers.add("Set-Cookie", "b=2")
        answer.headers["Connection"] = "X-Private"
        answer.headers["X-Private"] = "for the router alone"
        return answer

    async with routed() as here, serving(handler) as at:
        here.dyno.become(at)
        given = {
            "Content-Encoding": "gzip",
            "Cookie": "c=3",
            "Connection": "X-Hop",
            "X-Hop": "for the router alone",
            "X-Forwarded-For": "203.0.113.9",
            "X-Request-Id": "an-id-of-twenty-letters-at-least",
        }
        target = aiohttp.client.URL(f"{here.url}/a%2Fb//c?d=%20e&f", encoded=True)
        async with here.session.put(target, data=b"\x1f\x8bbody", headers=given) as answer:
            assert (answer.status, answer.reason) == (418, "Teapot")
            assert await answer.read() == b"\x1f\x8bnot really gzip"
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert "X-Private" not in answer.headers
            assert "heroku-router" in answer.headers["Via"]
        assert (seen["method"], seen["path"]) == ("PUT", "/a%2Fb//c?d=%20e&f")
        assert seen["body"] == b"\x1f\x8bbody"
        headers = seen["headers"]
        assert headers["Host"] == f"127.0.0.1:{here.port}"
        assert headers["Cookie"] == "c=3"
        assert headers["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"
        assert headers["X-Forwarded-Proto"] == "http"
        assert headers["X-Forwarded-Port"] == str(here.port)
        assert headers["X-Request-Id"] == given["X-Request-Id"]
        assert "heroku-router" in headers["Via"]
        assert "X-Hop" not in headers
        line = await here.line()
        assert re.fullmatch(
            r'at=info method=PUT path="/a%2Fb//c\?d=%20e&f" host=127\.0\.0\.1:\d+ '
            r'request_id=an-id-of-twenty-letters-at-least fwd="203\.0\.113\.9, 127\.0\.0\.1" dyno=web\.1 '
            r"connect=\d+ms service=\d+ms status=418 bytes=17 protocol=http",
            line,
        )


@in_a_loop
async def test_bodies_stream_both_ways() -> None:
    more = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(b"got " + chunk)
        await answer.write_eof()
        return answer

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        yield b"second"

    async with routed() as here, serving(handler) as at:
        here.dyno.become(at)
        async with here.session.post(here.url, data=body()) as answer:
            # The answer to the first half is there before the second half is sent
            assert await answer.content.readany() == b"got first"
            more.set()
            assert await answer.content.readany() == b"got second"


@in_a_loop
async def test_large_bodies_pass_whole() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=await request.content.read())

    async with routed() as here, serving(handler) as at:
        here.dyno.become(at)
        large = bytes(range(256)) * 80_000
        async with here.session.post(here.url, data=large) as answer:
            assert answer.headers["Content-Length"] == str(len(large))
            assert await answer.read() == large


@in_a_loop
async def test_head_and_empty_answers_have_no_body() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/empty":
            return web.Response(status=204)
        if request.path == "/same":
            return web.Response(status=304, headers={"ETag": '"x"'})
        return web.Response(body=b"four")

    async with routed() as here, serving(handler) as at:
        here.dyno.become(at)
        async with here.session.head(here.url) as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, "4")
        assert await here.get("/empty") == (204, "")
        assert await here.get("/same") == (304, "")
        # On one connection, so that a byte too many would spoil the next answer
        assert await here.get("/") == (200, "four")


@in_a_loop
async def test_who_waits_for_leave_to_send_a_body_gets_it() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=await request.read())

    async with routed() as here, serving(handler) as at:
        here.dyno.become(at)
        async with here.session.post(here.url, data=b"body", expect100=True) as answer:
            assert await answer.read() == b"body"


@in_a_loop
async def test_a_router_listens_where_it_is_told_and_says_if_it_cannot() -> None:
    async with routed() as here:
        other = Router(cast("WebDyno", StubDyno()), Remembered())
        with pytest.raises(OSError, match="in use"):
            await other.start(here.port)
        free = await other.start(0)
        await other.stop()
        assert await other.start(free) == free
        await other.stop()


# --- holding


@in_a_loop
async def test_a_request_waits_for_a_dyno_that_starts() -> None:
    async with routed() as here, serving(hello) as at:
        asking = asyncio.create_task(here.get())
        posting = asyncio.create_task(here.session.post(here.url, data=b"once"))
        await asyncio.sleep(0.1)
        assert not asking.done()
        here.dyno.become(at)
        assert await asking == (200, "hello")
        (await posting).close()


@in_a_loop
async def test_what_was_not_sent_yet_is_held_when_the_old_dyno_goes() -> None:
    async with routed() as here:
        async with serving(hello) as gone:
            pass
        # Given a dyno that is gone, while nobody knows it yet
        here.dyno.become(gone)
        asking = asyncio.create_task(here.get())
        posting = asyncio.create_task(here.session.post(here.url, data=b"not twice"))
        await asyncio.sleep(0.3)
        here.dyno.become(None)
        await asyncio.sleep(0.1)
        async with serving(hello) as at:
            here.dyno.become(at)
            assert await asking == (200, "hello")
            answer = await posting
            assert (answer.status, await answer.text()) == (200, "hello")


@in_a_loop
async def test_a_get_that_the_old_dyno_never_answered_is_sent_to_the_new_one() -> None:
    async with routed() as here, serving(hello) as new:

        async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            here.dyno.become(None)
            writer.transport.abort()

        async with raw(dies) as old:
            here.dyno.become(old)
            asking = asyncio.create_task(here.get())
            await soon(lambda: here.dyno.at is None, "the old dyno has died")
            here.dyno.become(new)
            assert await asking == (200, "hello")
            # What may have had an effect is not sent again
            here.dyno.become(old)
            async with here.session.post(here.url, data=b"x") as answer:
                assert answer.status == 503
            assert "code=H13" in await here.line()


# --- errors


@pytest.mark.parametrize(
    "down",
    [
        DynoDownError("H10", "App crashed"),
        DynoDownError("H14", "No web processes running"),
    ],
)
@in_a_loop
async def test_h10_and_h14_are_a_page_and_a_line(down: DynoDownError) -> None:
    async with routed() as here:
        here.dyno.become(None, down)
        async with here.session.get(f'{here.url}/x"y') as answer:
            assert answer.status == 503
            assert answer.content_type == "text/html"
            assert "<h1>Application error</h1>" in await answer.text()
        assert re.fullmatch(
            f'at=error code={down.code} desc="{down.description}" method=GET path="/x%22y" '
            r'host=127\.0\.0\.1:\d+ request_id=[0-9a-f-]{36} fwd="127\.0\.0\.1" dyno= connect= '
            "service= status=503 bytes=0 protocol=http",
            await here.line(),
        )


@in_a_loop
async def test_h20_a_request_is_held_only_so_long() -> None:
    async with routed(hold=0.2) as here:
        assert (await here.get())[0] == 503
        assert 'at=error code=H20 desc="App boot timeout"' in await here.line()


@in_a_loop
async def test_h12_an_answer_has_30_seconds_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "FIRST_BYTE", 0.3)

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await request.content.read()
        answer = web.StreamResponse()
        if request.path == "/late":
            await asyncio.sleep(20)
        await answer.prepare(request)
        await answer.write(b"begun")
        await asyncio.sleep(0.6)  # once begun, it may take longer
        await answer.write(b" and ended")
        return answer

    async def body() -> AsyncIterator[bytes]:
        yield b"slow"
        await asyncio.sleep(0.6)  # nor does the time of the upload count
        yield b"ly"

    async with routed() as here, serving(slow) as at:
        here.dyno.become(at)
        assert (await here.get("/late"))[0] == 503
        assert 'at=error code=H12 desc="Request timeout"' in await here.line()
        assert await here.get("/") == (200, "begun and ended")
        async with here.session.post(here.url, data=body()) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "H13"),
        (b"NOT HTTP AT ALL\r\n\r\n", "H17"),
    ],
)
@in_a_loop
async def test_h13_and_h17_a_dyno_that_does_not_answer_properly(said: bytes, code: str) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with routed() as here, raw(odd) as at:
        here.dyno.become(at)
        assert (await here.get())[0] == 503
        assert f"at=error code={code} " in await here.line()


@in_a_loop
async def test_h18_an_answer_that_breaks_off_is_seen_to_break_off() -> None:
    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")
        await writer.drain()

    async with routed() as here, raw(breaks) as at:
        here.dyno.become(at)
        with pytest.raises(aiohttp.ClientPayloadError):
            await here.get()
        assert "at=error code=H18 " in await here.line()


@in_a_loop
async def test_h21_a_dyno_that_refuses_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "REFUSED", 0.3)
    async with routed() as here:
        async with serving(hello) as gone:
            pass
        here.dyno.become(gone)
        assert (await here.get())[0] == 503
        assert "at=error code=H21 " in await here.line()


@in_a_loop
async def test_h27_a_client_that_goes_away_frees_the_dyno(caplog: pytest.LogCaptureFixture) -> None:
    begun, freed = asyncio.Event(), asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await reader.read()
        freed.set()

    async with routed() as here, raw(endless) as at:
        here.dyno.become(at)
        asking = asyncio.create_task(here.get())
        await asyncio.wait_for(begun.wait(), 20)
        asking.cancel()
        await asyncio.wait_for(freed.wait(), 20)
        assert 'code=H27 desc="Client Request Interrupted"' in await here.line()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@in_a_loop
async def test_requests_that_are_held_do_not_keep_the_router_from_stopping() -> None:
    async with routed(hold=600) as here:
        asking = asyncio.create_task(here.get())
        await asyncio.sleep(0.1)
    with pytest.raises(aiohttp.ClientError):
        await asking


# --- web sockets


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    if request.headers.get("Origin") == "http://foreign":
        return web.Response(status=403)
    socket = web.WebSocketResponse(protocols=["streamlit", "other"], max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data == "bye":
            await socket.close(code=4001, message=b"as you wish")
        elif message.type is WSMsgType.TEXT and message.data == "who":
            await socket.send_str(request.headers["X-Forwarded-For"])
        elif message.type is WSMsgType.TEXT and message.data == "die":
            assert request.transport
            request.transport.close()
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    closed_with.append(socket.close_code)
    return socket


closed_with: list[int | None] = []


@in_a_loop
async def test_web_sockets_carry_text_and_bytes_of_any_size() -> None:
    async with routed() as here, serving(echo) as at:
        here.dyno.become(at)
        offered = ["unknown", "streamlit"]
        async with here.session.ws_connect(here.url, protocols=offered, max_msg_size=0) as socket:
            assert socket.protocol == "streamlit"
            for size in (0, 1, 70_000, 20_000_000):
                await socket.send_bytes(bytes(size))
                assert len(await socket.receive_bytes()) == size
            await socket.send_str("Grüße")
            assert await socket.receive_str() == "Grüße"
            await socket.send_str("who")
            assert await socket.receive_str() == "127.0.0.1"
        async with here.session.ws_connect(here.url, autoping=False) as socket:
            await socket.ping(b"there?")
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.PONG, b"there?")


@in_a_loop
async def test_close_codes_go_both_ways() -> None:
    closed_with.clear()
    async with routed() as here, serving(echo) as at:
        here.dyno.become(at)
        async with here.session.ws_connect(here.url, autoclose=False) as socket:
            await socket.send_str("bye")
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (
                WSMsgType.CLOSE,
                4001,
                "as you wish",
            )
        closed_with.clear()
        async with here.session.ws_connect(here.url) as socket:
            await socket.close(code=4002)
        await soon(lambda: 4002 in closed_with, "the dyno was told the code")
        assert await here.line()
        assert here.log.count("at=info") == here.log.count("status=101") > 0


@in_a_loop
async def test_a_dyno_that_is_gone_is_no_clean_close(caplog: pytest.LogCaptureFixture) -> None:
    async with routed() as here, serving(echo) as at:
        here.dyno.become(at)
        async with here.session.ws_connect(here.url) as socket:
            await socket.send_str("die")
            message = await asyncio.wait_for(socket.receive(), 20)
            assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR)
            assert socket.close_code == 1006
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@in_a_loop
async def test_a_client_that_is_gone_lets_the_dyno_go() -> None:
    closed_with.clear()
    async with routed() as here, serving(echo) as at:
        here.dyno.become(at)
        async with here.session.ws_connect(here.url) as socket:
            transport = socket.get_extra_info("socket")
            await socket.send_str("hello")
            await socket.receive_str()
            transport.shutdown(2)
            await soon(lambda: closed_with != [], "the dyno was told")
            assert "at=info" in await here.line()


@in_a_loop
async def test_a_web_socket_that_the_dyno_refuses_is_refused() -> None:
    async with routed() as here, serving(echo) as at:
        here.dyno.become(at)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.session.ws_connect(here.url, origin="http://foreign")
        assert refused.value.status == 403
        here.dyno.become(None, DynoDownError("H10", "App crashed"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.session.ws_connect(here.url)
        assert refused.value.status == 503


@in_a_loop
async def test_a_web_socket_waits_for_a_dyno_that_starts() -> None:
    async with routed() as here, serving(echo) as at:
        opening = asyncio.ensure_future(here.session.ws_connect(here.url))
        await asyncio.sleep(0.1)
        here.dyno.become(at)
        socket = await opening
        await socket.send_str("there")
        assert await socket.receive_str() == "there"
        await socket.close()


# --- with a real dyno


@in_a_loop
async def test_no_request_fails_while_a_real_dyno_is_replaced(tmp_path: Path) -> None:
    packages = make_layer(tmp_path / "layers", [], print)
    images = [script_image(tmp_path / name, SERVER, packages, NAME=name) for name in ("old", "new")]
    log = Remembered()
    dyno = WebDyno(tmp_path / "dyno", log)
    subject = Router(dyno, log)
    port = await subject.start(0)
    names: list[str] = []

    async def ask(session: aiohttp.ClientSession) -> None:
        while "new" not in names:
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 200
                names.append((await answer.json(content_type=None))["NAME"])

    async def replace() -> None:
        await soon(lambda: "old" in names, "the old one answers")
        await dyno.replace(images[1], {}, 2)

    await dyno.replace(images[0], {}, 1)
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            await asyncio.gather(ask(session), ask(session), ask(session), replace())
    finally:
        await dyno.stop()
        await subject.stop()
    assert log.count("at=error") == 0
    assert log.count("status=200") == len(names)
