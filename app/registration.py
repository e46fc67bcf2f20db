"""Log a trained model to MLflow and register it: `app/sources/registry.py` fetches what this leaves."""

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.models import Model, infer_signature
from sklearn.pipeline import Pipeline

from app.model_file import model_digest, save
from app.sources.registry_errors import advice

NAME = "sentiment"  # of the registered model
# What a run must say of itself, as tags, before its model is registered. `data_*` is what it was
# trained on; the input digest is over data, parameters, code and lock; the last two are `log_model`'s.
TAGS = (
    *("data_digest", "data_rows", "input_digest", "git_commit", "lock_digest"),
    *("model_digest", "file_sha256"),
)
METRICS = ("test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_rows")
NEEDED = ("numpy", "pandas", "scikit-learn", "skops")  # to load the model


class RegistrationError(RuntimeError):
    """A model that cannot be registered. The message says why and what to do."""


class _AppsFile:
    """MLflow's flavor for scikit-learn, whose file is the app's own: 25 MB become less than one."""

    def __init__(self) -> None:
        self.sha256 = ""

    def save_model(self, path: str, **how: Any) -> None:
        """Save as MLflow does, then put the same model in its place as `app.model_file` saves it."""
        mlflow.sklearn.save_model(path=path, **how)
        file = Path(path) / "model.skops"
        save(how["sk_model"], file)
        self.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()


def log_model(model: Pipeline) -> str:
    """Log the model to the active run with signature and input example; return its model id."""
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    review = pd.DataFrame({"review": [model.example_["review"]]})
    file = _AppsFile()
    logged = Model.log(
        artifact_path=None,
        name=NAME,
        flavor=file,
        sk_model=model,
        signature=infer_signature(review, model.predict(review)),
        input_example=review,
        pip_requirements=[f"{name}=={installed(name)}" for name in NEEDED],
    )
    mlflow.set_tags({"model_digest": model_digest(model), "file_sha256": file.sha256})
    return str(logged.model_id)


def register(run_id: str, model_id: str) -> str:
    """Register a model that a finished run logged; return its version.

    It is one request, so that a version has all its tags or does not exist. Raises
    `RegistrationError` where the run failed, or lacks what a card and a gate ask for.
    """
    try:
        return _registered(mlflow.MlflowClient(), run_id, model_id)
    except mlflow.MlflowException as error:
        why = advice(error)
        raise RegistrationError(f"The model of run {run_id} is not registered: {why}.") from None


def _registered(client: mlflow.MlflowClient, run_id: str, model_id: str) -> str:
    run = client.get_run(run_id)
    tags, metrics = run.data.tags, run.data.metrics
    missing = [name for name in TAGS if not tags.get(name)] + sorted(set(METRICS) - set(metrics))
    if run.info.status != "FINISHED" or missing:
        why = f"lacks {', '.join(missing)}" if missing else f"is {run.info.status.lower()}"
        raise RegistrationError(f"Run {run_id} {why}, so its model is not registered: train again.")
    share, low, high, rows = (metrics[name] for name in METRICS)
    said = f"{share:.1%}, between {low:.1%} and {high:.1%} (95%), on {rows:,.0f} reviews"
    if not client.search_registered_models(f"name = '{NAME}'"):
        with suppress(mlflow.MlflowException):  # another training was quicker
            client.create_registered_model(NAME)
    known = {name: tags[name] for name in TAGS} | {"test_accuracy": said}
    made = client.create_model_version(
        NAME, f"models:/{model_id}", run_id, tags=known, model_id=model_id
    )
    return str(made.version)
