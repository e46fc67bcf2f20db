"""Which version a job promotes that has run twice: the first of its commit and model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tutorial.home import PROJECT

COMMIT = "a" * 40


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with versions of two commits, and of two models of one of them."""
    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri, uri)
    client.create_registered_model("sentiment")
    made = [("b" * 40, "model"), (COMMIT, "model"), (COMMIT, "other"), (COMMIT, "model")]
    made += [(COMMIT, "model")] * 8  # "10" comes before "2" as text
    for commit, digest in made:
        tags = {"git_commit": commit, "model_digest": digest}
        client.create_model_version("sentiment", str(folder), tags=tags)
    return uri


def registered(folder: Path, uri: str, digest: str) -> tuple[int, str]:
    record = {"git_commit": COMMIT, "model_digest": digest}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "registered.py", folder],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout or done.stderr.splitlines()[-1]


def test_the_first_of_the_commit_and_the_model(registry: str, tmp_path: Path) -> None:
    assert registered(tmp_path, registry, "model") == (0, "version=2\n")


def test_what_was_not_registered_is_not_promoted(registry: str, tmp_path: Path) -> None:
    status, said = registered(tmp_path, registry, "a model that nobody registered")
    assert status == 1
    assert said.startswith("This training registered no model")


@pytest.mark.parametrize("uri", ["", "http://127.0.0.1:9"])
def test_a_registry_that_is_away_is_a_sentence(tmp_path: Path, uri: str) -> None:
    assert registered(tmp_path, uri, "model")[0] == 1
