"""A platform that runs: one for a module, and ones that a test may kill."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from builder import Builder
from client import Client
from stage import Stage

from tutorial.heroku.packages import make_layer

KEY = "a-key-" + secrets.token_hex(8)
PATIENCE = 40  # seconds that a stopping platform may take: a dyno has 30


@dataclass
class RunningPlatform:
    """The service as a process of its own. Start it again after `kill`: it is at the same address."""

    state: Path
    boot_timeout: float = 60
    url: str = ""
    process: "subprocess.Popen[str]" = field(init=False, repr=False)

    def start(self) -> Client:
        """Start the service and return when it listens."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "tutorial.heroku", "--port", port]
        command += ["--state", str(self.state), "--boot-timeout", str(self.boot_timeout)]
        with (self.state.parent / "service.log").open("a", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, "HEROKU_API_KEY": KEY},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        line = self.process.stdout.readline() if self.process.stdout else ""
        assert line.startswith("The platform listens at "), self.said()
        self.url = line.split()[-1]
        return Client(self.url, KEY)

    def stop(self) -> int:
        """Ask the service to end; return its exit status."""
        return self.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the service in the middle of what it does."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait until the service has ended, and all processes that it had."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        _, left = psutil.wait_procs(children, PATIENCE)
        assert not left, f"The platform has left {left}"
        if self.process.stdout:
            self.process.stdout.close()
        return status

    def said(self) -> str:
        """Return what the service wrote to its own log."""
        return (self.state.parent / "service.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a platform that the module's tests share: give apps names of their own."""
    platform = RunningPlatform(tmp_path_factory.mktemp("platform") / "state", boot_timeout=5)
    yield platform.start()
    assert platform.stop() == 0
    assert "Traceback" not in platform.said()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningPlatform]:
    """A platform of the test's own, not started yet."""
    platform = RunningPlatform(tmp_path / "state")
    yield platform
    if hasattr(platform, "process") and platform.process.poll() is None:
        platform.stop()


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """Builds images in a folder of the test's own."""
    return Builder(tmp_path)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python for images, without packages."""
    return make_layer(tmp_path_factory.mktemp("layers"), [], print)


@pytest.fixture
def stage(tmp_path: Path, packages: Path) -> Iterator[Stage]:
    """A dyno that may be left running: nothing of it is left after the test."""
    stage = Stage(tmp_path, packages)
    yield stage
    left = stage.processes()
    for process in left:
        process.kill()
    assert left == [], "the test's dyno was not stopped, or did not stop all"
