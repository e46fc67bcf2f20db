"""One dyno's processes: a command in a fresh copy of an image, watched and ended as a whole."""

import asyncio
import contextlib
import fnmatch
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil

from tutorial.heroku.images import Image
from tutorial.heroku.rehearsal import PATH

LINE = 10_000  # bytes: Heroku cuts what is longer
LINES_A_SECOND = 1000
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104 # where to reach what listens anywhere


def dyno_environment(
    image: Image, config: Mapping[str, str], name: str, disk: Path, port: int | None
) -> dict[str, str]:
    """Return all that a dyno's processes find in their environment: nothing of the platform's own."""
    environment = {**image.environment, **config, "DYNO": name}
    environment.setdefault("LANG", "en_US.UTF-8")
    path = environment.get("PATH", PATH)
    environment["PATH"] = f"{image.packages / 'bin'}:{path}" if image.packages else path
    environment |= {"HOME": str(disk), "TMPDIR": str(disk / "tmp")}
    if port is not None:
        environment["PORT"] = str(port)
    if "TUTORIAL_SERVICE" in os.environ:  # tells `tutorial up` whose process this is
        environment["TUTORIAL_SERVICE"] = os.environ["TUTORIAL_SERVICE"]
    # In a container the app listens everywhere, or the platform's router would not reach it. On a laptop that
    # would open it to the whole network, so Streamlit is told otherwise, last, whatever the image says.
    environment["STREAMLIT_SERVER_ADDRESS"] = "127.0.0.1"
    return environment


@dataclass
class DynoProcess:
    """A command that was started, on a leash: it ends when the platform ends, however that comes about.

    It has a session of its own and a disk of its own (`disk`, which begins as a copy of the image).
    """

    disk: Path
    _leash: asyncio.subprocess.Process
    _output: "asyncio.Task[None]" = field(repr=False)

    @classmethod
    async def start(
        cls,
        image: Image,
        command: str,
        environment: Mapping[str, str],
        disk: Path,
        line: Callable[[str], object],
        dropped: Callable[[str], object],
    ) -> "DynoProcess":
        """Copy the image and run the command in it; `line` gets what it prints, `dropped` hears of what was too much.

        Raises `OSError` if the image cannot be copied.
        """
        root = disk / "root"
        await asyncio.to_thread(_copy, image.root, disk, root)
        workdir = root.joinpath(*Path(image.workdir).parts[1:])
        leash = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",  # the leash is ours: nothing in the app's folder or environment takes its place
            "-m",
            "tutorial.leash",
            "sh",
            "-c",
            command,
            cwd=workdir,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        reading = _read_lines(cast("asyncio.StreamReader", leash.stdout), line, dropped)
        return cls(disk, leash, asyncio.create_task(reading))

    async def wait(self) -> int:
        """Wait for the command to end, and return its exit status: 128 and the signal's number if one ended it."""
        status = await self._leash.wait()
        # What it said last is said before its end is told; what it left running may hold the pipe.
        await asyncio.wait({self._output}, timeout=0.5)
        return 128 - status if status < 0 else status if status < 192 else 128 + 256 - status

    def members(self) -> list[psutil.Process]:
        """Return what runs in the dyno, the leash not among it."""
        leash = self._leash.pid
        found: set[psutil.Process] = set()
        with contextlib.suppress(psutil.Error):
            found = set(psutil.Process(leash).children(recursive=True))
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if pid != leash and os.getsid(pid) == leash:
                    found.add(psutil.Process(pid))
        return [member for member in found if _runs(member)]

    def listens(self, port: int) -> str | None:
        """Return the address at which one of the dyno's own processes takes connections to the port, or None."""
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                for connection in member.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                        return LOOPBACK.get(connection.laddr.ip, connection.laddr.ip)
        return None

    def memory(self) -> int:
        """Return the memory that the dyno's processes hold, in bytes."""
        total = 0
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                total += member.memory_info().rss
        return total

    async def terminate(self, patience: float) -> bool:
        """Ask everything in the dyno to end; tell whether it did in time, in seconds."""
        deadline = time.monotonic() + patience
        asked = False
        while self._leash.returncode is None or self.members():
            if time.monotonic() > deadline:
                return False
            if not asked:  # at its very beginning, there is only the leash
                members = self.members()
                _signal(members, signal.SIGTERM)
                asked = bool(members)
            await asyncio.sleep(0.05)
        return True

    async def kill(self) -> None:
        """End everything in the dyno, what has made itself independent too, and return when it has ended."""
        while members := {*self.members(), *left_on(self.disk)}:
            _signal(members, signal.SIGKILL)
            await asyncio.sleep(0.02)
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        await self._leash.wait()
        await asyncio.wait({self._output}, timeout=1)
        self._output.cancel()
        await asyncio.to_thread(shutil.rmtree, self.disk, ignore_errors=True)


def _copy(image: Path, disk: Path, root: Path) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    (disk / "tmp").mkdir(parents=True)
    shutil.copytree(image, root, symlinks=True)


def left_on(disk: Path) -> set[psutil.Process]:
    """Return the processes that have this disk for their home; a `*` in its name stands for any."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            home = Path(process.environ().get("HOME", "/"))
            same = home.parent == disk.parent and fnmatch.fnmatchcase(home.name, disk.name)
            if same and _runs(process):
                found.add(process)
    return found


def _runs(process: psutil.Process) -> bool:
    """Tell whether it is more than an entry that nobody has asked for yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(
    processes: "set[psutil.Process] | list[psutil.Process]", number: signal.Signals
) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


async def _read_lines(
    stream: asyncio.StreamReader, line: Callable[[str], object], dropped: Callable[[str], object]
) -> None:
    """Pass lines on as they come, no more a second than anybody could keep."""
    rest, second, passed, lost = b"", 0, 0, 0
    while True:
        try:
            # A line that is not finished is shown when nothing follows it.
            chunk = await asyncio.wait_for(stream.read(1 << 16), 1 if lost else None)
        except TimeoutError:
            chunk = None
        now = int(time.monotonic())
        if now != second or chunk == b"":
            if lost:
                dropped(f"Error L10 (output buffer overflow): {lost} messages dropped")
            second, passed, lost = now, 0, 0
        if chunk is None:
            continue
        *whole, rest = (rest + chunk).split(b"\n")
        if (chunk == b"" and rest) or len(rest) > LINE:
            whole, rest = [*whole, rest], b""
        for words in whole:
            if passed >= LINES_A_SECOND:
                lost += 1
                continue
            for piece in _pieces(words):
                line(piece)
                passed += 1
        if chunk == b"":
            return


def _pieces(words: bytes) -> Iterator[str]:
    """Cut a line to the length that a log takes."""
    for start in range(0, max(len(words), 1), LINE):
        yield words[start : start + LINE].decode(errors="replace").rstrip("\r")
