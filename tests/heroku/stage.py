"""One dyno on a stage: its log, images of one script for it, and its processes."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from small_images import Remembered, processes_in, script_image

from tutorial.heroku.dynos import WebDyno
from tutorial.heroku.images import Image

LISTEN = """\
import os, socket, sys, time
def listen(port=None):
    s = socket.create_server(("127.0.0.1", int(port or os.environ["PORT"])))
    return s
"""
WAIT = "\ntime.sleep(600)\n"


class Stage:
    """One dyno, its log, and images for it."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.log = Remembered()
        self.folder = folder / "dyno"
        self._images = folder / "images"
        self._packages = packages
        self.dyno = self.new_dyno()

    def new_dyno(self, **settings: float) -> WebDyno:
        self.dyno = WebDyno(self.folder, self.log, **settings)
        return self.dyno

    def image(self, script: str, **settings: Any) -> Image:
        name = f"image-{len(list(self._images.glob('*')))}"
        return script_image(self._images / name, script, self._packages, **settings)

    async def up(self, script: str, **settings: Any) -> tuple[str, int]:
        """Run a script and wait until it is up."""
        await self.dyno.replace(self.image(script, **settings), {}, 1)
        return await self.dyno.address(30)

    def processes(self) -> list[psutil.Process]:
        return processes_in(self.folder)


async def ask(address: tuple[str, int]) -> Any:
    """Ask a dyno directly and return the JSON that it answers."""

    def get() -> Any:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/", timeout=20) as answer:
            return json.load(answer)

    return await asyncio.to_thread(get)
