"""The server, started as people start it: the page, the model's card, and a model that may change."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app.model_file import model_digest, save

SECONDS = 60  # within which all that is waited for must happen


@dataclass(frozen=True)
class Server:
    """A running app: its address, and where it looks for its model."""

    url: str
    model: Path

    def card(self) -> tuple[int, dict[str, Any]]:
        response = self.get("/model")
        return response.status_code, response.json()

    def get(self, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # no proxy
            return session.get(self.url + path, timeout=10)


def until(condition: Callable[[], Any]) -> Any:
    """Return the condition's first true value; fail when time is up."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def server(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app in a folder of its own, where there is no model yet."""
    folder = tmp_path_factory.mktemp("app")
    for part in ("app", ".streamlit"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project / part, folder / part, ignore=ignored)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", folder / "models" / "sentiment.skops")
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    environment = {**os.environ, "HOME": str(folder), "MODEL_REFRESH_SECONDS": "0.2"}

    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            **{"cwd": folder, "env": environment, "stdout": log, "stderr": log},
        )
        try:
            until(lambda: answers(server, process))
            yield server
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            finally:
                process.kill()


def answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the server has ended"
    try:
        return server.get("/_stcore/health").ok
    except requests.ConnectionError:
        return False


def test_the_card_follows_the_model(server: Server, small_model: Pipeline, model: Pipeline) -> None:
    """From no model to one, to a better one; and back from a broken one, which never answers."""
    # given no model: the reason, and a status that a platform understands
    status, card = until(lambda: looked(server))
    assert status == 503
    assert card["status"] == "unavailable"
    assert card["digest"] is None
    assert "There is no model at models/sentiment.skops" in card["problem"]
    assert is_one_sentence(card["problem"])

    # when a model is there, then it answers
    save(small_model, server.model)
    card = until(lambda: served(server, small_model))
    assert card["problem"] is None
    assert card["example"] == small_model.example_

    # when its file is broken, then it goes on answering, and says so
    server.model.write_bytes(b"not a model")
    card = until(lambda: failing(server))
    assert card["digest"] == model_digest(small_model)
    assert "models/sentiment.skops is not a whole skops model" in card["problem"]

    # when another model is there, then that one answers, and all is well
    save(model, server.model)
    assert until(lambda: served(server, model))["problem"] is None


def looked(server: Server) -> tuple[int, dict[str, Any]] | None:
    status, card = server.card()
    assert status == 503
    return (status, card) if card["checked"] else None


def served(server: Server, model: Pipeline) -> dict[str, Any] | None:
    status, card = server.card()
    assert status in (200, 503)
    assert (status == 200) == (card["status"] == "serving")
    return card if card["digest"] == model_digest(model) else None


def failing(server: Server) -> dict[str, Any] | None:
    status, card = server.card()
    assert status == 200
    return card if card["problem"] else None


def test_the_card_is_json(server: Server) -> None:
    assert server.get("/model").headers["content-type"] == "application/json"


def test_the_page_is_served(server: Server) -> None:
    page = server.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert server.get("/_stcore/health").text == "ok"
