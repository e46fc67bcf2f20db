"""Figures of milestone 5: what a training that leaves a record costs, and an app that asks the registry."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from tutorial import cloud
from tutorial.deployed import Platform, live_app
from tutorial.errors import TutorialError
from tutorial.figures import Figure, memory_of, seconds_of
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.serving import start_app


def training_figures(home: Home) -> Iterator[Figure]:
    """Measure trainings, and the app that asks the registry, in a home that has what came before."""
    seconds_of([5], home)
    environment = {**home.environment(), **cloud.environment(home)}

    def train(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "scripts/train.py", *words]
        return subprocess.Popen(
            command, cwd=home.workspace, env=environment, stderr=subprocess.DEVNULL
        )

    def seconds(*processes: subprocess.Popen[bytes]) -> float:
        started = time.perf_counter()
        codes = [process.wait() for process in processes]
        if any(codes):
            raise TutorialError("A training failed: run `python scripts/train.py`.")
        return time.perf_counter() - started

    started = time.perf_counter()
    run_in_workspace(home, "tutorial.training", "workshop")
    alone = time.perf_counter() - started
    yield Figure("what tracking adds to a training", seconds(train()) - alone, "s", 12)
    pairs = ((0.03, 0.3), (3.0, 30.0))
    sweep = [seconds(*(train(f"-p=C={C}", f"--output=training/{C}") for C in p)) for p in pairs]
    yield Figure("a sweep of four runs", sum(sweep), "s", 60)
    yield from _registry(home, environment)


def _registry(home: Home, environment: dict[str, str]) -> Iterator[Figure]:
    """Promote by the alias alone, and start an app beside a tracking server that is dead."""
    uri = "models:/sentiment@champion"
    app, address = live_app(home), environment["MLFLOW_TRACKING_URI"]
    login = environment["MLFLOW_TRACKING_USERNAME"], environment["MLFLOW_TRACKING_PASSWORD"]
    before = app.card()["version"]
    moved = {"name": "sentiment", "alias": "champion"}
    waits = []
    for version in ("1" if before != "1" else "2", before):
        started = time.perf_counter()
        path = "/api/2.0/mlflow/registered-models/alias"
        requests.post(address + path, json={**moved, "version": version}, auth=login, timeout=30)
        app.wait_until(_answers_with(version))
        waits.append(time.perf_counter() - started)
    yield Figure("promotion to live", max(waits), "s", 5)
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
        deployed = Platform(home).config()
        times = []
        for where in (address, dead):
            settings = {**deployed, "MODEL_URI": uri, "MLFLOW_TRACKING_URI": where}
            started = time.perf_counter()
            other = start_app(home, settings)
            other.wait_until(lambda card: card["status"] == "serving")
            times.append(time.perf_counter() - started)
            if where == address:
                yield Figure("app with the registry: memory", memory_of(other), "MB", 430)
            other.stop()
    yield Figure("app start with the tracking server dead: slower by", times[1] - times[0], "s", 3)


def _answers_with(version: str) -> Callable[[dict[str, Any]], bool]:
    return lambda card: bool(card["version"] == version)
