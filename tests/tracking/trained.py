"""A home as milestone 5 leaves it: runs, a champion, its copy and its data, on a tracking server that is real."""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from served import BUCKET, Served

from app import registration, tracking
from app.data import data_digest, read_reviews
from app.model import Params, train
from tests.tutorial.small_server import in_json, small_server
from tutorial import cloud
from tutorial.audit import Answer, audit
from tutorial.checks import Probe
from tutorial.checks.instrumented_training import FALLBACK, URI
from tutorial.deployed import Platform
from tutorial.home import PROJECT, Home
from tutorial.serving import RunningApp
from tutorial.tracking.api import ALIAS, NAME

COPY, DATA = "models/sentiment.skops", "data/train.csv"
COMMIT = "c" * 40
FIGURES = {"test_accuracy": 0.8, "test_accuracy_low": 0.77, "test_accuracy_high": 0.83}
EXECUTED = {"cells": [{"cell_type": "code", "outputs": [{"text": "Right on 80%"}]}]}
NOT_EXECUTED: dict[str, Any] = {"cells": [{"cell_type": "code", "outputs": []}]}


@dataclass
class Trained:
    """The champion, version 1; version 2, another model; and the runs of a sweep over C, theirs the first two."""

    served: Served
    champion: str
    runs: list[str]
    model: Path
    keys: dict[str, str]

    @property
    def config(self) -> dict[str, str]:
        """The config vars of the live app, with the password of now: tests before may have changed it."""
        where = {"MODEL_URI": URI, FALLBACK: f"s3://{BUCKET}/{COPY}"}
        return where | self.keys | self.served.known.environment()

    @property
    def home(self) -> Home:
        return self.served.home

    @contextmanager
    def client(self) -> Iterator[mlflow.MlflowClient]:
        """MLflow's client, for a test that breaks something."""
        with self.served.client() as client:
            yield client

    def publish(self) -> None:
        """Put the champion's copy and its data into the bucket, whatever is there."""
        admin = self.served.admin()
        admin.put_object(Bucket=BUCKET, Key=COPY, Body=self.model.read_bytes())
        admin.put_object(Bucket=BUCKET, Key=DATA, Body=(PROJECT / DATA).read_bytes())

    def card(self, **change: Any) -> dict[str, Any]:
        """What the live app says of the champion, with something changed."""
        with self.client() as client:
            version = client.get_model_version_by_alias(NAME, ALIAS)
        tags = version.tags
        said = {"status": "serving", "uri": URI, "fallback": False, "version": version.version}
        said |= {"digest": tags["model_digest"], "run": version.run_id, "problem": None}
        said |= {"data": tags["data_digest"], "code": tags["git_commit"], "checked": "now"}
        return said | {"accuracy": tags["test_accuracy"], "problem_since": None} | change

    def probe(self, patch: pytest.MonkeyPatch, config: Any = None, **change: Any) -> Probe:
        """A probe of an app that tells this card, and of a platform that gives it these config vars."""
        told = self.card(**change)
        patch.setattr(RunningApp, "card", lambda app, timeout=10: told)
        return self.real_probe(patch, RunningApp("http://127.0.0.1:1", self.home), config)

    def real_probe(self, patch: pytest.MonkeyPatch, app: RunningApp, config: Any = None) -> Probe:
        """A probe of an app, and of a platform that gives it these config vars."""
        given = self.config if config is None else config
        patch.setattr(Platform, "config", lambda platform: dict(given))
        return Probe(self.home, app)

    def audited(self, card: dict[str, Any] | None = None) -> list[Answer]:
        """What the audit says of an app that tells this card, the champion's if none."""
        with small_server({"/model": in_json(card or self.card())}) as server:
            self.home.record("app", {"url": server.url, "pid": os.getpid()})
            try:
                return audit(self.home)
            finally:
                self.home.forget("app")

    @contextmanager
    def instead(self, key: str, content: bytes | None) -> Iterator[None]:
        """Have an object of the bucket replaced, or gone where there is no content."""
        admin = self.served.admin()
        former = admin.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        if content is None:
            admin.delete_object(Bucket=BUCKET, Key=key)
        else:
            admin.put_object(Bucket=BUCKET, Key=key, Body=content)
        try:
            yield
        finally:
            admin.put_object(Bucket=BUCKET, Key=key, Body=former)

    @contextmanager
    def tagged(self, run_id: str, **tags: str | None) -> Iterator[None]:
        """Have tags of a run changed, or gone where they have no value."""
        with self.client() as client:
            former = client.get_run(run_id).data.tags
            _tag(client, run_id, tags)
        try:
            yield
        finally:
            with self.client() as client:
                _tag(client, run_id, {name: former.get(name) for name in tags})


def _tag(client: mlflow.MlflowClient, run_id: str, tags: dict[str, str | None]) -> None:
    known = client.get_run(run_id).data.tags
    for name, value in tags.items():
        if value is not None:
            client.set_tag(run_id, name, value)
        elif name in known:
            client.delete_tag(run_id, name)


def trained(served: Served, folder: Path) -> Trained:
    """Put milestone 5's work into a home whose tracking server runs."""
    for name in ("app", "data", ".streamlit"):
        shutil.copytree(PROJECT / name, served.home.workspace / name)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    reviews, runs = read_reviews(PROJECT / DATA), []
    with served.client() as client:
        mlflow.set_experiment(f"sentiment-{uuid.uuid4().hex[:6]}")
        for number, value in enumerate((0.3, 1.0, 3.0, 30.0)):
            runs.append(_logged(reviews, value, folder, with_model=number < 2))
        for run_id in runs[:2]:
            model_id = client.get_run(run_id).outputs.model_outputs[0].model_id
            registration.register(run_id, model_id)
        client.set_registered_model_alias(NAME, ALIAS, "1")
        place = client.get_model_version_download_uri(NAME, "1")
        model = Path(mlflow.artifacts.download_artifacts(f"{place}/model.skops"))
        rebuilt = client.get_run(runs[0]).data.tags["model_digest"]
        _tag(client, runs[0], {"rebuilt_digest": rebuilt, "rebuilt_by": "ada", "rebuilt_at": "now"})
    return Trained(served, runs[0], runs, model, _keys_of_the_app(served.home))


def _logged(reviews: pd.DataFrame, value: float, folder: Path, with_model: bool) -> str:
    """Log a training as train.ipynb does; return the run's id."""
    digest = data_digest(reviews)
    with mlflow.start_run(run_name=f"C={value}") as run:
        tags = {"data_digest": digest, "data_rows": "1500", "input_digest": "1" * 64}
        mlflow.set_tags(tags | {"git_commit": COMMIT, "lock_digest": "2" * 64})
        mlflow.log_params({"data": "workshop", "C": value, "blend": 0.25})
        mlflow.log_metrics(FIGURES | {"test_rows": 1002})
        if with_model:
            tracking.log_reviews(reviews, "workshop", digest, "training")
            mlflow.log_dict(EXECUTED, "train.ipynb")
            plot = folder / "words.png"
            plot.write_bytes(b"a picture")
            mlflow.log_artifact(str(plot), "plots")
            registration.log_model(train(reviews.head(200), Params(C=value, bits=10)))
    return str(run.info.run_id)


def _keys_of_the_app(home: Home) -> dict[str, str]:
    """Make a user who may read models, as milestone 2 does, and return what leads him to the bucket."""
    iam = cloud.client(home, "iam", *cloud.profile_keys(home, "admin"))
    policy = (PROJECT / "infra" / "app-reads.json").read_text("utf-8").replace("BUCKET", BUCKET)
    iam.create_user(UserName="app")
    iam.put_user_policy(UserName="app", PolicyName="reads", PolicyDocument=policy)
    key = iam.create_access_key(UserName="app")["AccessKey"]
    settings = cloud.environment(home)
    return {name: settings[name] for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")} | {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
