"""What the router answers, and logs, where no dyno answers as it should."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from routed import hello, raw, routed, serving
from small_images import in_a_loop

from tutorial.heroku import router
from tutorial.heroku.dynos import DynoDownError


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
