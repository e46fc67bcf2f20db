"""`python -m tutorial.github.rest --port N --state DIR` serves the local GitHub's API until it is told to stop."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from tutorial.errors import TutorialError
from tutorial.github.movement import settle
from tutorial.github.repository import prepare
from tutorial.github.rest.api import PREFIX, make_api
from tutorial.github.store import Store

HOST = "127.0.0.1"
PATIENCE = 2.0  # seconds that requests under way have when the service stops


def main() -> int:
    """Serve. Return 1, with a sentence, where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tutorial.github.rest", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 for any free one")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its state")
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    try:
        listening = socket.create_server((HOST, options.port), backlog=128)
    except (OSError, OverflowError) as error:
        return fail(f"Port {options.port} cannot be used ({error}): name another with --port.")
    with listening, contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(serve(listening, options.state.resolve()))
    return 0


async def serve(listening: socket.socket, state: Path) -> int:
    """Serve on that socket until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    base = f"http://{HOST}:{listening.getsockname()[1]}"
    try:
        prepare(state)
        store = Store(state)
        _tell_addresses(state, base)
        settle(store)
    except (TutorialError, OSError) as error:
        return fail(str(error))
    runner = web.AppRunner(make_api(store), access_log=None, shutdown_timeout=PATIENCE)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    print(f"The local GitHub answers at {base}{PREFIX}", flush=True)
    await stop.wait()
    await runner.cleanup()
    store.close()
    return 0


def _tell_addresses(state: Path, base: str) -> None:
    """Write where the service answers: runs find it there."""
    addresses = {
        "server_url": base,
        "api_url": f"{base}{PREFIX}",
        "graphql_url": f"{base}/api/graphql",
    }
    part = state / f".addresses.json.{os.getpid()}"
    part.write_text(json.dumps(addresses), encoding="utf-8")
    part.replace(state / "addresses.json")


def fail(sentence: str) -> int:
    """Say what is wrong."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
