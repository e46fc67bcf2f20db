"""What a training leaves in a real registry: whole or not at all, and the app's own file."""

import hashlib
import zipfile
from contextlib import suppress

import mlflow
import pandas as pd
import pytest
from trainings import FACTS, FIGURES, Logged

from app import registration
from app.model import predict
from app.model_file import load, model_digest
from app.sources import fetch

DATA = {"data_digest": "d" * 64, "data_rows": "200"}


def test_a_version_carries_what_its_run_says_of_itself(
    registry: mlflow.MlflowClient, logged: list[Logged]
) -> None:
    tags = registry.get_model_version("sentiment", "2").tags
    run = registry.get_run(logged[1].run_id)
    assert {name: tags[name] for name in registration.TAGS} == {
        name: run.data.tags[name] for name in registration.TAGS
    }
    assert tags["test_accuracy"] == "83.3%, between 81.0% and 85.3% (95%), on 1,002 reviews"


def test_the_app_gets_the_file_that_was_logged_by_the_client_alone(
    registry: mlflow.MlflowClient, logged: list[Logged], settings: pytest.MonkeyPatch
) -> None:
    """Through the server's proxy: the app has no key to where artifacts are kept."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        settings.delenv(name)

    fetched = fetch("models:/sentiment/2")

    assert fetched is not None
    assert model_digest(load(fetched.path)) == logged[1].digest == fetched.proof["digest"]
    tags = registry.get_model_version("sentiment", "2").tags
    assert hashlib.sha256(fetched.path.read_bytes()).hexdigest() == tags["file_sha256"]
    packed = {member.compress_type for member in zipfile.ZipFile(fetched.path).infolist()}
    assert packed == {zipfile.ZIP_DEFLATED}  # as MLflow saves it, it is 30 times as large
    assert fetched.proof["run"] == logged[1].run_id
    assert fetched.proof["accuracy"] == tags["test_accuracy"]


def test_mlflow_loads_the_same_model_with_its_signature(
    registry: mlflow.MlflowClient, logged: list[Logged]
) -> None:
    table = pd.DataFrame({"review": ["A warm and funny film.", "Dull, painful and wooden."]})
    model = mlflow.pyfunc.load_model("models:/sentiment/1")

    said = model.predict(table)

    chances = predict(load(logged[0].path), table["review"].tolist())
    assert list(said) == ["positive" if chance >= 0.5 else "negative" for chance in chances]
    assert model.metadata.signature.inputs.input_names() == ["review"]
    assert (
        mlflow.sklearn.load_model("models:/sentiment/1").example_ == load(logged[0].path).example_
    )


def test_a_run_that_failed_registers_nothing(
    registry: mlflow.MlflowClient, logged: list[Logged]
) -> None:
    model = load(logged[0].path)
    with suppress(KeyboardInterrupt), mlflow.start_run() as run:
        mlflow.set_tags({**FACTS, **DATA})
        mlflow.log_metrics(FIGURES)
        model_id = registration.log_model(model)
        raise KeyboardInterrupt

    with pytest.raises(registration.RegistrationError, match="is failed, so its model"):
        registration.register(run.info.run_id, model_id)

    assert len(registry.search_model_versions("name = 'sentiment'")) == 3


@pytest.mark.parametrize("missing", ["git_commit", "data_rows", "test_rows"])
def test_a_run_that_says_too_little_registers_nothing(
    registry: mlflow.MlflowClient, logged: list[Logged], missing: str
) -> None:
    with mlflow.start_run() as run:
        tags = {**registry.get_run(logged[0].run_id).data.tags}
        known = {name: tags[name] for name in registration.TAGS if name != missing}
        mlflow.set_tags(known)
        mlflow.log_metrics({name: value for name, value in FIGURES.items() if name != missing})

    with pytest.raises(registration.RegistrationError, match=f"lacks {missing}, so its model"):
        registration.register(run.info.run_id, logged[0].model_id)

    assert len(registry.search_model_versions("name = 'sentiment'")) == 3


def test_a_class_of_ones_own_is_not_logged(
    registry: mlflow.MlflowClient, logged: list[Logged]
) -> None:
    """As a pickle it would be, and whoever loads a pickle runs what is in it."""
    model = load(logged[0].path)
    model.named_steps["classifier"].mine = Mine()

    with mlflow.start_run() as run, pytest.raises(mlflow.MlflowException, match="skops"):
        registration.log_model(model)

    assert "model_digest" not in registry.get_run(run.info.run_id).data.tags


class Mine:
    pass
