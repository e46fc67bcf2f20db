"""Dynos: the web dyno of an app, which boots, crashes, outgrows its memory and restarts as Heroku's do."""

import asyncio
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tutorial.heroku.dyno_process import DynoProcess, dyno_environment, left_on
from tutorial.heroku.images import Image, mark_live

Log = Callable[[str, str, str], object]  # source "heroku" or "app", process, message

EXIT_TIMEOUT = 30.0  # seconds from SIGTERM to SIGKILL
COOL_OFF = 600.0  # seconds until a dyno that crashed twice is started again
RELEASE_TIMEOUT = 3600.0  # seconds that a release phase may take
MEMORY_SAMPLE = 1.0  # seconds
MEMORY_REMINDER = 20.0  # seconds between two lines about the same excess
BOOT_SAMPLE = 0.1  # seconds
PORT_ATTEMPTS = 5
NAME = "web.1"


class DynoDownError(Exception):
    """No dyno takes the request: `code` and `description` are those of Heroku's router."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class _PortTakenError(Exception):
    """Another program listens at the port that was meant for the dyno."""


@dataclass(frozen=True)
class _Wanted:
    image: Image
    config: Mapping[str, str]


class WebDyno:
    """The one web dyno of one app.

    `state` is "starting", "up", "crashed" or "down", `since` when it came to that, `release` the version that runs,
    `reason` the code of the last trouble: "H10", "R10", "R14" or "R15".
    """

    def __init__(
        self, folder: Path, log: Log, boot_timeout: float = 60, memory_quota_mb: float = 512
    ) -> None:
        self.state = "down"
        self.release: int | None = None
        self.since = datetime.now(UTC)
        self.reason: str | None = None
        self._folder = folder
        self._log = log
        self._boot_timeout = boot_timeout
        self._quota = memory_quota_mb * 1024 * 1024
        self._wanted: _Wanted | None = None
        self._address: tuple[str, int] | None = None
        self._process: DynoProcess | None = None
        self._life: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    async def replace(self, image: Image, config: Mapping[str, str], release: int) -> None:
        """Stop what runs, then start this image. Returns when it is being started, not when it is up."""
        async with self._turn:
            self._wanted = _Wanted(image, dict(config))
            self.release = release
            await self._start_again(self._wanted)

    async def restart(self) -> None:
        """Stop what runs and start it again, on an empty disk. Does nothing where there was no release."""
        async with self._turn:
            if self._wanted is not None:
                await self._start_again(self._wanted)

    async def stop(self) -> None:
        """Stop what runs; requests are then answered with H14."""
        async with self._turn:
            await self._end()
            self._become("down", None)

    async def address(self, timeout: float) -> tuple[str, int]:
        """Return the host and port that take requests; while the dyno starts, wait, `timeout` seconds at most.

        Raises `DynoDownError`: H10 it crashed, H14 there is none, H20 it was still starting when time was up.
        """
        try:
            async with asyncio.timeout(timeout):
                while self.state == "starting":
                    await self._news.wait()
        except TimeoutError:
            raise DynoDownError("H20", "App boot timeout") from None
        if self.state == "up" and self._address is not None:
            return self._address
        if self.state == "crashed":
            raise DynoDownError("H10", "App crashed")
        raise DynoDownError("H14", "No web processes running")

    # --- from one state to another

    def _say(self, message: str) -> None:
        self._log("heroku", NAME, message)

    def _become(self, state: str, reason: str | None) -> None:
        if state != self.state:
            self._say(f"State changed from {self.state} to {state}")
            self.since = datetime.now(UTC)
        self.state, self.reason = state, reason
        if state != "up":
            self._address = None
        self._news.set()
        self._news = asyncio.Event()

    async def _start_again(self, wanted: _Wanted) -> None:
        """On Heroku's Basic dynos the old one stops before the new one starts: requests wait meanwhile."""
        if self.state == "up":
            self._say("Restarting")
        self._become("starting", None)
        await self._end()
        self._life = asyncio.create_task(self._live(wanted))

    async def _end(self) -> None:
        """Stop the processes as Heroku does: SIGTERM, and SIGKILL for those that have not ended in 30 s."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})
            self._life = None
        process, self._process = self._process, None
        if process is None:
            return
        self._say("Stopping all processes with SIGTERM")
        try:
            if not await process.terminate(EXIT_TIMEOUT):
                self._say(
                    "Error R12 (Exit timeout) -> At least one process failed to exit within "
                    f"{EXIT_TIMEOUT:g} seconds of SIGTERM"
                )
                self._say("Stopping remaining processes with SIGKILL")
        finally:
            await process.kill()
        self._say(f"Process exited with status {await process.wait()}")

    # --- the life of a dyno

    async def _live(self, wanted: _Wanted) -> None:
        """Run the command, and once more at once when it has crashed, then after ten minutes each time."""
        loop = asyncio.get_running_loop()
        crashes = 0
        while True:
            began = loop.time()
            try:
                reason = await self._run(wanted)
            except OSError as error:
                self._say(f"The image cannot be copied: {error.strerror or error}")
                reason = "H10"
            self._become("crashed", reason)
            # Who was up for long enough is trusted again.
            crashes = 1 if loop.time() - began > COOL_OFF else crashes + 1
            if crashes > 1:
                await asyncio.sleep(COOL_OFF)
            self._become("starting", reason)

    async def _run(self, wanted: _Wanted) -> str:
        """Run the command once, until it crashes; return the reason."""
        for _ in range(PORT_ATTEMPTS):
            port = free_port()
            process = await self._launch(wanted, port)
            ended = asyncio.create_task(process.wait())
            try:
                reason = await self._boot(process, port, ended) or await self._watch(process, ended)
            except _PortTakenError:
                reason = None
            except BaseException:
                ended.cancel()
                raise  # whoever stops the dyno stops the process
            await process.kill()
            self._process = None  # not before: whoever stops the dyno meanwhile has to end it
            status = await ended
            if reason is not None:
                self._say(f"Process exited with status {status}")
                return reason
        self._say(f"No port could be kept free for the dyno in {PORT_ATTEMPTS} attempts")
        return "H10"

    async def _launch(self, wanted: _Wanted, port: int) -> DynoProcess:
        image, config = wanted.image, wanted.config
        await asyncio.to_thread(self._clear_folder, image)
        disk = self._folder / f"{NAME}-{secrets.token_hex(4)}"
        self._say(f"Starting process with command `{image.command}`")
        start = asyncio.ensure_future(
            DynoProcess.start(
                image,
                image.command,
                dyno_environment(image, config, NAME, disk, port),
                disk,
                lambda line: self._log("app", NAME, line),
                lambda line: self._log("heroku", "logplex", line),
            )
        )
        try:
            self._process = await asyncio.shield(start)
        except asyncio.CancelledError:
            self._process = await start  # to be stopped by whoever cancelled
            raise
        return self._process

    def _clear_folder(self, image: Image) -> None:
        """Remove what former dynos left: disks, and processes of a platform that was killed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for process in left_on(self._folder / f"{NAME}-*"):
            process.kill()
        for disk in self._folder.iterdir():
            shutil.rmtree(disk, ignore_errors=True)
        mark_live(image, self._folder)

    async def _boot(
        self, process: DynoProcess, port: int, ended: "asyncio.Task[int]"
    ) -> str | None:
        """Wait until the dyno listens at its port; return the reason if it does not come to that.

        Raises `_PortTakenError` if another program listens there.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._boot_timeout
        while True:
            over = bool((await asyncio.wait({ended}, timeout=BOOT_SAMPLE))[0])
            host = None if over else process.listens(port)
            if host is not None:
                self._address = (host, port)
                self._become("up", None)
                return None
            if somebody_listens(port) and process.listens(port) is None:
                raise _PortTakenError
            if over:
                return "H10"
            if loop.time() > deadline:
                self._say(
                    "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within "
                    f"{self._boot_timeout:g} seconds of launch"
                )
                self._say("Stopping process with SIGKILL")
                return "R10"

    async def _watch(self, process: DynoProcess, ended: "asyncio.Task[int]") -> str:
        """Look at the memory every second until the dyno ends; return the reason."""
        loop = asyncio.get_running_loop()
        said = -MEMORY_REMINDER
        while not (await asyncio.wait({ended}, timeout=MEMORY_SAMPLE))[0]:
            used = process.memory()
            share = used / self._quota
            if share <= 1:
                self.reason = None
                continue
            self.reason = "R14"
            if share < 2 and loop.time() < said + MEMORY_REMINDER:
                continue
            said = loop.time()
            self._say(f"Process running mem={used / 1024 / 1024:.0f}M({share:.1%})")
            if share >= 2:
                self._say("Error R15 (Memory quota vastly exceeded)")
                self._say("Stopping process with SIGKILL")
                return "R15"
            self._say("Error R14 (Memory quota exceeded)")
        return "H10"


def free_port() -> int:
    """Return a port of the loopback interface at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def somebody_listens(port: int) -> bool:
    """Tell whether a connection to the port of the loopback interface is taken."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(("127.0.0.1", port))
        except OSError:
            return False
        # A port that nobody listens at can be given to this very socket, which then meets itself.
        return bool(probe.getsockname() != probe.getpeername())


async def run_one_off(
    image: Image,
    config: Mapping[str, str],
    name: str,
    log: Log,
    say: Callable[[str], object],
    folder: Path,
) -> int:
    """Run the image's release command in a dyno of its own and return its exit status.

    What it prints goes to the log and, line by line, to `say`. `folder` is for its disk, empty before and after.
    """
    if image.release_command is None:
        raise ValueError("The image has no release command.")

    def line(words: str) -> None:
        log("app", name, words)
        say(words)

    disk = folder / f"{name}-{secrets.token_hex(4)}"
    log("heroku", name, "State changed from down to starting")
    log("heroku", name, f"Starting process with command `{image.release_command}`")
    start = asyncio.ensure_future(
        DynoProcess.start(
            image,
            image.release_command,
            dyno_environment(image, config, name, disk, None),
            disk,
            line,
            lambda words: log("heroku", "logplex", words),
        )
    )
    try:
        process = await asyncio.shield(start)
    except asyncio.CancelledError:
        await (await start).kill()
        raise
    log("heroku", name, "State changed from starting to up")
    try:
        async with asyncio.timeout(RELEASE_TIMEOUT):
            status = await process.wait()
    except TimeoutError:
        line(f"The release command did not end in {RELEASE_TIMEOUT:g} seconds: it was stopped.")
        status = 124
    finally:
        await process.kill()
    log("heroku", name, f"Process exited with status {status}")
    log("heroku", name, "State changed from up to complete")
    return status
