"""Where a training's run goes, and what it leaves there: for the notebook, which needs the whole mlflow."""

import fcntl
import logging
import os
import re
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Run

from app.sources.registry_errors import advice

EXPERIMENT = "sentiment"
LOCAL = "sqlite:///mlflow.db"  # in the working folder, with the files in mlruns/
LOCK = "mlflow.db.lock"
# MLflow's own settings, where nobody chose others: it draws and prints nothing into a notebook that
# is kept, and gives up after a minute instead of many; at first, before there is work to lose, sooner.
SETTINGS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
AT_FIRST = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}  # seconds
LATER = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
PROCESS = "process"  # tag of a run: who must be alive while it is running
LOGGERS = ("mlflow", "alembic")  # what they say of their tables and guesses helps nobody here

Kinds = tuple[type[Exception], ...]


class TrackingError(RuntimeError):
    """A run that cannot be kept. The message says why and what to do."""


def begin() -> str:
    """Choose where runs go, see that it answers, and return a sentence that says so.

    Runs that a process on this machine left unfinished when it was killed are marked failed. Raises
    `TrackingError`.
    """
    ours = [name for name in LATER if name not in os.environ]
    os.environ.update({name: AT_FIRST[name] for name in ours})
    uri = _settle()
    try:
        with _told(f"Runs at {_shown(uri)}", (Exception,)), _alone(uri):
            _find_experiment(uri)
            _mark_what_was_killed()
    finally:
        os.environ.update({name: LATER[name] for name in ours})
    if uri == LOCAL:
        return "MLFLOW_TRACKING_URI is not set: this run stays on this machine, in mlflow.db."
    return f"This run goes to the tracking server at {_shown(uri)}."


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a path may be of two kinds, which make no difference
        told = from_pandas(
            reviews, source=place, name=place, targets="sentiment", digest=digest[:12]
        )
        mlflow.log_input(told, context=context)


def keep(run_id: str, file: Path) -> None:
    """Add a file to a run that has finished. Raises `TrackingError`."""
    _settle()
    with _told("The run"):
        mlflow.MlflowClient().log_artifact(run_id, str(file))


def give_up(run_id: str) -> None:
    """Mark a run failed and take back what it registered, where the tracking server still answers.

    Where it does not, the next training marks the run.
    """
    _settle()
    client = mlflow.MlflowClient()
    with suppress(TrackingError), _told("The run"):
        client.set_terminated(run_id, "FAILED")
        for version in client.search_model_versions(f"run_id = '{run_id}'"):
            client.delete_model_version(version.name, version.version)


def _settle() -> str:
    """Tell MLflow where runs go, and how; return the address."""
    for name, value in {**SETTINGS, **LATER}.items():
        os.environ.setdefault(name, value)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or LOCAL
    mlflow.set_tracking_uri(uri)
    return uri


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Have the local store for oneself: two trainings that make its tables at once both fail."""
    if uri != LOCAL:
        yield
        return
    with Path(LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shown(uri: str) -> str:
    """Return an address without the user and the password that may be in it."""
    return re.sub("//.*@", "//", uri)


def _find_experiment(uri: str) -> None:
    if not mlflow.get_experiment_by_name(EXPERIMENT):
        place = Path("mlruns").absolute().as_uri() if uri == LOCAL else None
        with suppress(mlflow.MlflowException):  # another training was quicker
            mlflow.create_experiment(EXPERIMENT, place)
    mlflow.set_experiment(EXPERIMENT)


def _mark_what_was_killed() -> None:
    """Mark runs failed whose process is not there any more."""
    client = mlflow.MlflowClient()
    [experiment] = client.search_experiments(filter_string=f"name = '{EXPERIMENT}'")
    running = "attributes.status = 'RUNNING'"
    for left in client.search_runs([experiment.experiment_id], running):
        number, _, machine = left.data.tags.get(PROCESS, "").partition(" on ")
        if machine == socket.gethostname() and number.isdecimal() and not _is_alive(int(number)):
            client.set_terminated(left.info.run_id, "FAILED")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def _told(what: str, kinds: Kinds = (mlflow.MlflowException, OSError)) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError`, whose sentence holds neither user nor password."""
    try:
        yield
    except kinds as error:
        why = advice(error)
        # It is about what was logged, and holds no address.
        if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
            said = re.split(r"[.!?;]\s", str(error), maxsplit=1)[0]
            why = f"MLflow says {said[:200].rstrip('.')!r}"
        raise TrackingError(f"{what} cannot be kept: {why}.") from None
