"""Small things to build and run: tarballs, images of one script, a log that is remembered, a wait in an event loop."""

import asyncio
import functools
import io
import tarfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ParamSpec

import psutil

from tutorial.heroku.images import Image

P = ParamSpec("P")

DOCKERFILE = """\
FROM python:3.13-slim
WORKDIR /app
COPY . .
CMD python server.py
"""
HEROKU_YML = "build:\n  docker:\n    web: Dockerfile\n"

# Listens at $PORT and answers every request with its environment.
SERVER = """\
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def member(name: str, content: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tarball; attributes are those of `tarfile.TarInfo`."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def write_tarball(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def source(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A tarball with these files, a `heroku.yml` and a Dockerfile among them unless they are given."""
    given = {"heroku.yml": HEROKU_YML, "Dockerfile": DOCKERFILE, "server.py": SERVER, **files}
    texts = {name: text.encode() if isinstance(text, str) else text for name, text in given.items()}
    return write_tarball(path, *(member(name, text) for name, text in texts.items()))


class Remembered:
    """A log: what the platform and the app said, as (source, process, message)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def __call__(self, source: str, process: str, message: str) -> None:
        self.lines.append((source, process, message))

    def messages(self, source: str = "heroku", process: str = "web.1") -> list[str]:
        return [words for said, who, words in self.lines if (said, who) == (source, process)]

    def count(self, part: str) -> int:
        return sum(part in message for _, _, message in self.lines)


async def soon(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait until the condition holds; fail, naming what was waited for, when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{seconds} s are over: {what}"
        await asyncio.sleep(0.02)


def in_a_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        async def whole() -> None:
            await test(*arguments, **named)

        asyncio.run(whole())

    return run


def script_image(folder: Path, script: str, packages: Path, **settings: str) -> Image:
    """An image that holds one script, `server.py` in /app, and runs it unless `command` is given."""
    root = folder / "root"
    (root / "app").mkdir(parents=True, exist_ok=True)
    (root / "app" / "server.py").write_text(script, encoding="utf-8")
    command = settings.pop("command", "exec python server.py")
    release_command = settings.pop("release_command", None)
    return Image(folder.name, root, "/app", settings, command, release_command, packages)


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes whose home lies below a folder, zombies not among them."""
    found = []
    for process in psutil.process_iter():
        try:
            home = Path(process.environ().get("HOME", "/"))
            if home.is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
