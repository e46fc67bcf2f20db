"""Web sockets through the router: messages, pings and close codes both ways."""

import asyncio
from dataclasses import dataclass

from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType, web

Socket = web.WebSocketResponse | ClientWebSocketResponse

NORMAL, GOING_AWAY = 1000, 1001
NEVER_SENT = (0, 1005, 1006, 1015)  # codes that say how a connection ended, and are not for sending


@dataclass(frozen=True)
class Ending:
    """How one side ended the connection; `code` is None where it was just gone."""

    code: int | None
    reason: bytes = b""


async def join(client: web.WebSocketResponse, dyno: ClientWebSocketResponse) -> tuple[Ending, bool]:
    """Pass messages on until one side ends, and end the other likewise; tell how, and whether it was the client.

    Both must have been opened with `autoclose` and `autoping` off. A client whose dyno is just gone is left open:
    the caller cuts its connection, as no close code says that.
    """
    up = asyncio.create_task(_pass_on(client, dyno))
    down = asyncio.create_task(_pass_on(dyno, client))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        by_client = up.done()
        ending = (up if by_client else down).result()
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
    code = GOING_AWAY if ending.code is None else ending.code
    if by_client:
        await dyno.close(code=code, message=ending.reason)
        await client.close(code=code)
    elif ending.code is not None:
        await client.close(code=code, message=ending.reason)
        await dyno.close(code=code)
    return ending, by_client


async def _pass_on(origin: Socket, to: Socket) -> Ending:
    while True:
        message: WSMessage = await origin.receive()
        if message.type is WSMsgType.CLOSE:
            code = NORMAL if message.data in NEVER_SENT else int(message.data)
            return Ending(code, (message.extra or "").encode())
        try:
            if message.type is WSMsgType.TEXT:
                await to.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await to.send_bytes(message.data)
            elif message.type is WSMsgType.PING:
                await to.ping(message.data)
            elif message.type is WSMsgType.PONG:
                await to.pong(message.data)
            else:
                return Ending(None)
        except ConnectionError:
            await asyncio.Event().wait()  # the other direction tells how `to` has ended
