"""The server: the page for visitors, `GET /model` for machines, and a look at the model's source now and then.

Start it with `python -m streamlit run app/main.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.in_service import live


async def model_card(request: Request) -> JSONResponse:
    """Answer with the card: 200 where a model can predict its own example, else 503 with the reason."""
    card = live.card()
    return JSONResponse(card, status_code=200 if card["status"] == "serving" else 503)


async def look_after_the_model() -> None:
    """Load the model while the port is bound already, then look for a newer one for ever."""
    while True:
        await asyncio.to_thread(live.refresh)
        await asyncio.sleep(live.settings.refresh_seconds)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Run the background task as long as the server runs."""
    task = asyncio.create_task(look_after_the_model())
    yield
    task.cancel()


app = st.App("page.py", routes=[Route("/model", model_card)], lifespan=lifespan)
