"""The tracking server of these tests, and how one asks it."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from tutorial import cloud
from tutorial.home import Home
from tutorial.tracking.record import USER, Tracking, root_of, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from types_boto3_s3 import S3Client

BUCKET, PROFILE = "reviews-and-runs", "mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True)
class Served:
    """A home whose tracking server is up, and what was said when it was installed."""

    home: Home
    said: list[str]

    @property
    def known(self) -> Tracking:
        """What the home knows of it."""
        known = tracking(self.home)
        assert known is not None
        return known

    @property
    def root(self) -> Path:
        """What / is to a server with a machine of its own."""
        return root_of(self.home)

    def ask(self, method: str, path: str, password: str | None = "", **how: Any) -> Any:
        """Ask with the server's password, with another, or, if None, with none."""
        auth = None if password is None else (USER, password or self.known.password)
        return requests.request(method, self.known.uri + path, auth=auth, timeout=60, **how)

    def admin(self) -> "S3Client":
        """One who may look anywhere in the bucket."""
        made: S3Client = cloud.client(self.home, "s3", *cloud.profile_keys(self.home, "admin"))
        return made

    @contextlib.contextmanager
    def client(self) -> Iterator["MlflowClient"]:
        """MLflow's own client, which finds the server by the three variables, and has no key to S3."""
        import boto3
        from mlflow import MlflowClient, set_tracking_uri

        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.known.environment().items():
                patch.setenv(name, value)
            patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            assert boto3.Session().get_credentials() is None
            set_tracking_uri(self.known.uri)
            yield MlflowClient()

    def processes(self, *words: str) -> list[psutil.Process]:
        """Its processes whose command line has one of these words."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TUTORIAL_SERVICE") == str(self.home.root):
                    line = " ".join(process.cmdline())
                    if process.pid != os.getpid() and any(word in line for word in words):
                        found.append(process)
        return found


def logged(client: "MlflowClient", folder: Path, size: int = 5_000_000) -> str:
    """Log a run with a parameter, metrics and a file; return its id."""
    experiment = client.get_experiment_by_name("tests")
    where = experiment.experiment_id if experiment else client.create_experiment("tests")
    run = client.create_run(where)
    client.log_param(run.info.run_id, "C", 2)
    for step in range(3):
        client.log_metric(run.info.run_id, "accuracy", 0.5 + step / 8, step=step)
    file = folder / "model.skops"
    file.write_bytes(os.urandom(size))
    client.log_artifact(run.info.run_id, str(file))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
