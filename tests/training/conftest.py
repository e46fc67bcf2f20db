"""A workspace to train in, and a tracking server to train against."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from training_workspace import Workspace, make

from tracking_server import tracking_server
from tutorial.home import PROJECT

sys.path.append(str(PROJECT / "tests" / "app"))  # whose `plain` tells what a sentence is


@pytest.fixture(autouse=True)
def _what_mlflow_keeps_for_the_next(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow keeps the experiment, and the app its patience, for all that the process starts later."""
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_tracking_uri(None)
    before = dict(os.environ)
    yield
    mlflow.set_tracking_uri(None)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Copy this one: nobody trains in it."""
    return make(tmp_path_factory.mktemp("fresh") / "workspace")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking_server(tmp_path_factory.mktemp("tracking")) as url:
        yield url


@pytest.fixture(scope="session")
def client(server: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(server, server)


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the session's trainings leave."""
    return tmp_path_factory.mktemp("trainings")
