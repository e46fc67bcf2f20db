"""Where a training's run goes, and what it leaves there: for the notebook, which needs the whole mlflow."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Run

from app.sources import SourceError
from app.sources.registry_errors import in_a_sentence

EXPERIMENT = "sentiment"
LOCAL = "sqlite:///mlflow.db"  # in the working folder, with the files in mlruns/
# MLflow's own settings, where nobody chose others: it gives up after a minute instead of many, and
# draws and prints nothing into a notebook that is kept.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
PROCESS = "process"  # tag of a run: who must be alive while it is running
LOGGERS = ("mlflow", "alembic")  # what they say of their tables and guesses helps nobody here


class TrackingError(RuntimeError):
    """A run that cannot be kept. The message says why and what to do."""


def begin() -> str:
    """Choose where runs go, see that it answers, and return a sentence that says so.

    Runs that a process on this machine left unfinished when it was killed are marked failed. Raises
    `TrackingError`.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or LOCAL
    mlflow.set_tracking_uri(uri)
    with _told(uri):
        if not mlflow.get_experiment_by_name(EXPERIMENT):
            place = Path("mlruns").absolute().as_uri() if uri == LOCAL else None
            with suppress(mlflow.MlflowException):  # another training was quicker
                mlflow.create_experiment(EXPERIMENT, place)
        mlflow.set_experiment(EXPERIMENT)
        _mark_what_was_killed()
    if uri == LOCAL:
        return "MLFLOW_TRACKING_URI is not set: this run stays on this machine, in mlflow.db."
    return f"This run goes to the tracking server at {uri}."


@contextmanager
def run(name: str, facts: Mapping[str, str], said: Path) -> Iterator[Run]:
    """Keep a run with these tags: finished at the end of the block, failed where it raises or is killed.

    Its id is written to the file `said` first, so that whoever started this can end the run in its
    place. Raises `TrackingError`.
    """
    tags = {PROCESS: f"{os.getpid()} on {socket.gethostname()}", **facts}
    with _told("The run"), mlflow.start_run(run_name=name, tags=tags) as active:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.write_text(active.info.run_id, encoding="utf-8")
        yield active


def log_reviews(reviews: pd.DataFrame, place: str, digest: str, context: str) -> None:
    """Log which reviews a run used, "training" or "testing", by where they lie and their digest."""
    told = from_pandas(reviews, source=place, targets="sentiment", digest=digest[:12])
    mlflow.log_input(told, context=context)


def _mark_what_was_killed() -> None:
    """Mark runs failed whose process is not there any more."""
    client, here = mlflow.MlflowClient(), f" on {socket.gethostname()}"
    [experiment] = client.search_experiments(filter_string=f"name = '{EXPERIMENT}'")
    running = "attributes.status = 'RUNNING'"
    for left in client.search_runs([experiment.experiment_id], running):
        number, _, _ = left.data.tags.get(PROCESS, "").partition(" on ")
        if left.data.tags.get(PROCESS, "").endswith(here) and not _is_alive(int(number)):
            client.set_terminated(left.info.run_id, "FAILED")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError`."""
    try:
        with in_a_sentence(what):
            yield
    except SourceError as error:
        raise TrackingError(str(error)) from None
