"""A real `mlflow server` on a free port, and a way to it that can be cut."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import requests

SECONDS = 120


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def tracking_server(folder: Path) -> Iterator[str]:
    """Serve until the block ends, and give the address; the store and `artifacts/` are in the folder."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **quiet},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(url):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the tracking server does not answer"
                time.sleep(0.1)
            yield url
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)  # the server and its worker; there is nothing to keep
            process.wait(SECONDS)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.RequestException:
        return False


class Way:
    """A relay to a server. `cut` makes it as if the server were away, `open` as if it were back.

    With `hangs` it takes connections and says nothing.
    """

    def __init__(self, url: str) -> None:
        self.target = (urlsplit(url).hostname, urlsplit(url).port)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.hangs = False
        self.listening: socket.socket | None = None
        self.pairs: list[socket.socket] = []

    def open(self) -> None:
        """Take connections; nothing is done where it is open."""
        if self.listening is None:
            self.listening = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and end those that there are."""
        if self.listening:
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
            self.listening = None
        for each in self.pairs:
            each.close()
        self.pairs.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client = listening.accept()[0]
                self.pairs.append(client)
                if not self.hangs:
                    server = socket.create_connection(self.target)
                    self.pairs.append(server)
                    threading.Thread(target=_relay, args=(client, server), daemon=True).start()


def _relay(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError, ValueError):
        while True:
            for ready in select.select([one, other], [], [])[0]:
                data = ready.recv(2**16)
                if not data:
                    one.close()
                    other.close()
                    return
                (other if ready is one else one).sendall(data)
