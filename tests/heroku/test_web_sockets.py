"""Web sockets through the router: Streamlit's pages live by them."""

import asyncio
import logging

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from routed import routed, serving
from small_images import in_a_loop, soon

from tutorial.heroku.dynos import DynoDownError


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
