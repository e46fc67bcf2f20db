"""The router: what it passes on as it is, and what it holds while a dyno starts."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from routed import StubDyno, hello, raw, routed, serving
from small_images import SERVER, Remembered, in_a_loop, script_image, soon

from tutorial.heroku.dynos import WebDyno
from tutorial.heroku.packages import make_layer
from tutorial.heroku.router import Router

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
