"""Run the workspace's app on this machine, and find the one that runs."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

from tutorial.errors import TutorialError
from tutorial.home import Home

PORT = 8501
SERVERS = range(20_000, 32_000)  # below what Linux (from 32768) and macOS give to clients
PORT_TAKEN = "is not available"  # what Streamlit says of it
ATTEMPTS = 3
PATIENCE = 60  # seconds until a started app has to answer


def free_port(preferred: int) -> int:
    """Return the preferred port of the loopback interface, or a free one where it is taken.

    It is none that the kernel gives to whoever connects: a service that is down for a moment would
    find its port in use.
    """
    others = (SERVERS.start + secrets.randbelow(len(SERVERS)) for _ in range(100))
    for port in (preferred, *others, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise TutorialError("This machine has no free port: stop a program that listens.")


@dataclass
class RunningApp:
    """An app that answers at `url`; `process` is its leash if this process started it."""

    url: str
    home: Home
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def card(self, timeout: float = 10) -> dict[str, Any]:
        """Ask `GET /model`, and wait until the app has looked for its model, a minute at most.

        Raises `TutorialError` if nothing or nonsense comes back.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                card: dict[str, Any] = requests.get(f"{self.url}/model", timeout=timeout).json()
                if card.get("checked", True) or time.monotonic() > deadline:
                    return card
            except (requests.RequestException, ValueError, AttributeError):
                raise TutorialError(
                    f"The app at {self.url} does not answer: start it again."
                ) from None
            time.sleep(0.1)

    def wait_until(
        self, condition: Callable[[dict[str, Any]], object], seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Ask `GET /model` again and again, and return the first card that meets the condition.

        Raises `TutorialError` when time is up, with the problem that the last card tells of.
        """
        deadline = time.monotonic() + seconds
        while not condition(card := self.card()):
            if time.monotonic() > deadline:
                problem = card.get("problem") or "its card tells of no problem"
                raise TutorialError(f"In {seconds:g} s the app did not get there: {problem}")
            time.sleep(0.1)
        return card

    def stop(self) -> None:
        """Let go of the leash and wait until the app has ended."""
        if self.process is not None:
            # First, for whoever ends may not be given the time to wait.
            record = self.home.recall("app")
            if record and record.get("pid") == self.process.pid:
                self.home.forget("app")
            if self.process.stdin:
                self.process.stdin.close()
            self.process.wait(PATIENCE)


def running_app(home: Home) -> RunningApp | None:
    """Return the app of this home that was started last, if it still answers."""
    record = home.recall("app")
    if not record:
        return None
    app = RunningApp(str(record["url"]), home)
    try:
        os.kill(int(record["pid"]), 0)
        app.card(timeout=3)
    except (OSError, TutorialError):
        return None
    return app


def start_app(home: Home, environment: dict[str, str] | None = None) -> RunningApp:
    """Start the workspace's app and return when its page answers; it ends with this process.

    Raises `TutorialError` with the app's own last words if it ends or does not answer in a minute.
    """
    main = home.workspace / "app" / "main.py"
    if not main.is_file():
        raise TutorialError("The workspace has no app/main.py: build milestone 0 first.")
    try:  # Streamlit would serve a file that it cannot read, as a page that says so
        compile(main.read_bytes(), "app/main.py", "exec")
    except (SyntaxError, ValueError) as error:
        kind = type(error).__name__
        raise TutorialError(f"app/main.py cannot be run, mend it: {kind}: {error}.") from None
    home.root.mkdir(parents=True, exist_ok=True)
    for _ in range(ATTEMPTS):
        app = _launch(home, free_port(PORT), environment or {})
        if _answers(app):
            home.record("app", {"url": app.url, "pid": app.process.pid if app.process else 0})
            return app
        ended = app.process is not None and app.process.poll() is not None
        app.stop()
        words = (home.root / "app.log").read_text(errors="replace").strip().splitlines()
        # Between the look for a free port and the app's own bind, another program took it.
        if not any(PORT_TAKEN in line for line in words):
            break
    why = words[-1] if words else "it said nothing"
    what = "ended" if ended else "gives no card at GET /model"
    raise TutorialError(f"The app {what}: {why}")


def _launch(home: Home, port: int, environment: dict[str, str]) -> RunningApp:
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app/main.py",
        "--server.port",
        str(port),
    ]
    with (home.root / "app.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tutorial.leash", *command],
            cwd=home.workspace,
            env={**home.environment(), "MODEL_REFRESH_SECONDS": "2", **environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return RunningApp(f"http://127.0.0.1:{port}", home, process)


def _answers(app: RunningApp) -> bool:
    """Wait until the server answers; its model may still be loading. False if it never does."""
    deadline = time.monotonic() + PATIENCE
    while app.process and app.process.poll() is None and time.monotonic() < deadline:
        if _listens(app):
            with suppress(requests.RequestException):
                if requests.get(f"{app.url}/_stcore/health", timeout=5).ok:
                    # A main.py that Streamlit cannot read is served as a page, without a card.
                    card = requests.get(f"{app.url}/model", timeout=5)
                    return card.headers.get("content-type", "").startswith("application/json")
        time.sleep(0.1)
    return False


def _listens(app: RunningApp) -> bool:
    """Tell whether the app's own process listens: at its port another program may."""
    port = int(app.url.rpartition(":")[2])
    with suppress(psutil.Error):
        for member in psutil.Process(app.process.pid if app.process else 0).children(True):
            listening = (c for c in member.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
            if any(c.laddr.port == port for c in listening):
                return True
    return False


@contextmanager
def app_to_ask(home: Home) -> Iterator[RunningApp]:
    """Give the app that runs, or else one that is started for the occasion and stopped after it."""
    app = running_app(home)
    if app is not None:
        yield app
        return
    app = start_app(home)
    try:
        yield app
    finally:
        app.stop()
