"""A registry with three versions of a model, a bucket, and settings that lead there and nowhere else."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from trainings import BUCKET, FACTS, FALLBACK, FIGURES, PASSWORD, Logged, start_anew

from app import registration
from app.data import data_digest, read_reviews
from app.model import Params, train
from app.model_file import save
from app.sources import registry_client
from local_s3 import LocalS3, local_s3, policy
from tracking_server import Way, tracking_server
from tutorial.home import PROJECT


@pytest.fixture(scope="session", autouse=True)
def _no_experiment_of_others() -> Iterator[None]:
    """MLflow keeps the experiment that another test chose in this process; no other server has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        yield


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="session")
def server(server_folder: Path) -> Iterator[str]:
    with tracking_server(server_folder) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        server.bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def trainer(s3_server: LocalS3) -> tuple[str, str]:
    return s3_server.user("trainer", policy("trainer-writes", BUCKET))


@pytest.fixture
def settings(
    server: str,
    s3_server: LocalS3,
    trainer: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[pytest.MonkeyPatch]:
    """The trainer's settings, which a test may change."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GIT", "MLFLOW_", "MODEL_")):
            monkeypatch.delenv(name)
    for name, value in {**s3_server.environment(trainer), **registry_client.SETTINGS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "trainer")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    monkeypatch.setenv("MODEL_FALLBACK_URI", FALLBACK)
    monkeypatch.setenv("HOME", str(tmp_path))  # whose git knows nobody
    start_anew()
    yield monkeypatch
    start_anew()


@pytest.fixture(scope="session")
def logged(server: str, tmp_path_factory: pytest.TempPathFactory) -> list[Logged]:
    """Three trainings: do not change what they logged."""
    reviews = read_reviews(PROJECT / "data" / "train.csv")
    facts = {**FACTS, "data_digest": data_digest(reviews), "data_rows": str(len(reviews))}
    folder, made = tmp_path_factory.mktemp("models"), []
    mlflow.set_tracking_uri(server)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        for number in (1, 2, 3):
            model = train(reviews.head(200), Params(C=float(number), bits=10))
            with mlflow.start_run() as run:
                mlflow.set_tags(facts)
                mlflow.log_metrics(FIGURES)
                model_id = registration.log_model(model)
            path = folder / f"{number}.skops"
            save(model, path)
            digest = mlflow.get_run(run.info.run_id).data.tags["model_digest"]
            made.append(Logged(run.info.run_id, model_id, digest, path))
    finally:
        mlflow.set_tracking_uri(None)
    return made


@pytest.fixture
def registry(settings: pytest.MonkeyPatch, logged: list[Logged]) -> mlflow.MlflowClient:
    """The registered model with versions 1 to 3 of these trainings, and no champion."""
    client = mlflow.MlflowClient()
    if client.search_registered_models("name = 'sentiment'"):
        client.delete_registered_model("sentiment")
    versions = [registration.register(each.run_id, each.model_id) for each in logged]
    assert versions == ["1", "2", "3"]
    return client


@pytest.fixture
def way(server: str, settings: pytest.MonkeyPatch) -> Iterator[Way]:
    """A way to the server that can be cut; the settings lead along it."""
    way = Way(server)
    way.open()
    settings.setenv("MLFLOW_TRACKING_URI", way.url)
    start_anew()
    yield way
    way.cut()
