"""`python -m tutorial.heroku --port N --state DIR` serves the platform until it is told to stop."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from tutorial.heroku.api import make_api
from tutorial.heroku.platform import Platform
from tutorial.heroku.store import StoreError

HOST = "127.0.0.1"
PATIENCE = 2.0  # seconds that requests under way have when the platform stops


def main() -> int:
    """Serve. Return 1, with a sentence, where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tutorial.heroku", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 for any free one")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument(
        "--boot-timeout", type=float, default=60, help="seconds to bind a port (R10)"
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # Out of the environment at once: no process that the platform starts is to find it there.
    key = os.environ.pop("HEROKU_API_KEY", "")
    if not key:
        return fail("HEROKU_API_KEY is not set: it is the key that the platform asks for.")
    try:
        listening = socket.create_server((HOST, options.port), backlog=128)
    except (OSError, OverflowError) as error:
        return fail(f"Port {options.port} cannot be used ({error}): name another with --port.")
    with listening, contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(serve(listening, key, options.state, options.boot_timeout))
    return 0


async def serve(listening: socket.socket, key: str, state: Path, boot_timeout: float) -> int:
    """Serve on that socket until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = listening.getsockname()[1]
    base = f"http://{HOST}:{port}"
    try:
        platform = Platform(state.resolve(), base, port, boot_timeout)
    except (StoreError, OSError) as error:
        return fail(str(error))
    await platform.start()
    runner = web.AppRunner(make_api(platform, key), access_log=None, shutdown_timeout=PATIENCE)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    print(f"The platform listens at {base}", flush=True)
    await stop.wait()
    await runner.cleanup()
    await platform.stop()
    return 0


def fail(sentence: str) -> int:
    """Say what is wrong."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
