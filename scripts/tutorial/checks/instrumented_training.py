"""Milestone 5: the champion can be traced and made again, and the app that serves it survives MLflow's absence."""

import hashlib
import json
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tutorial import cloud
from tutorial.checks.items import Item, Probe
from tutorial.checks.s3 import bucket_and_key, seen_by
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.serving import start_app
from tutorial.tracking.api import ALIAS, FINISHED, NAME, Run, TrackingApi, Version

URI = f"models:/{NAME}@{ALIAS}"
FALLBACK = "MODEL_FALLBACK_URI"
# What a run has to say of itself before somebody else can answer for its model.
TAGS = (
    *("data_digest", "data_rows", "input_digest", "git_commit", "lock_digest"),
    *("model_digest", "file_sha256"),
)
INTERVAL = ("test_accuracy", "test_accuracy_low", "test_accuracy_high")
METRICS = (*INTERVAL, "test_rows")
NOTEBOOK = "train.ipynb"
SWEEP = 4  # runs


def champion_of(probe: Probe) -> tuple[TrackingApi, Version, Run]:
    """Return the server, the version that is champion, and the run that trained it."""
    api = TrackingApi(probe.home)
    version = api.champion()
    if not version.run_id:
        raise TutorialError(f"Version {version.number} names no run that trained it.")
    return api, version, api.run(version.run_id)


def the_app_asks_the_registry(probe: Probe) -> str:
    """The card names the alias, and the version and model that it stands for; nothing stands in."""
    version = TrackingApi(probe.home).champion()
    card = probe.app.card()
    if card.get("uri") != URI or card.get("fallback"):
        why = f" ({card['problem']})" if card.get("problem") else ""
        raise TutorialError(f"The app serves {card.get('uri')}, not {URI}{why}.")
    if card.get("version") != version.number:
        raise TutorialError(
            f"Version {card.get('version')} is served, {version.number} is {ALIAS}."
        )
    if card.get("digest") != version.tags.get("model_digest"):
        raise TutorialError(f"Version {version.number} is served, and is not what was registered.")
    return f"version {version.number} of {URI}, model {str(card['digest'])[:12]}"


def the_run_says_all(probe: Probe) -> str:
    """Parameters, tags, figures, data, plots, the executed notebook and the model itself are in MLflow."""
    api, version, run = champion_of(probe)
    lacking = [f"tag {name}" for name in TAGS if not run.tags.get(name)]
    lacking += [f"metric {name}" for name in METRICS if name not in run.metrics]
    lacking += [] if run.params else ["parameter"]
    if run.status != FINISHED:
        lacking.append("end")
    digest = run.tags.get("data_digest", "")
    if not any(given and digest.startswith(given) for given in run.trained_on):
        lacking.append("data set that it was trained on")
    if NOTEBOOK not in api.files(run):
        lacking.append(f"file {NOTEBOOK}")
    plots = [path for path in api.files(run, "plots") if path.endswith(".png")]
    if not plots:
        lacking.append("plot")
    if lacking:
        raise TutorialError(f"Run {run.run_id} has no {', no '.join(lacking)}.")
    if not was_executed(api.file(run, NOTEBOOK)):
        raise TutorialError(f"{NOTEBOOK} of run {run.run_id} is not as it ran: it has no outputs.")
    if hashlib.sha256(api.model_file(version)).hexdigest() != run.tags["file_sha256"]:
        raise TutorialError(f"The file of version {version.number} is not the one that was logged.")
    return (
        f"run {run.run_id}: {len(run.params)} parameters, {len(run.metrics)} figures, {len(plots)} plots, "
        f"data {digest[:12]}, the notebook and the model"
    )


def was_executed(notebook: bytes) -> bool:
    """Tell whether a notebook holds what its cells printed."""
    try:
        cells = json.loads(notebook)["cells"]
        return any(cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    except (ValueError, KeyError, TypeError):
        return False


def the_data_is_published(probe: Probe) -> str:
    """The training data in the bucket has the digest that the champion's run says."""
    _, _, run = champion_of(probe)
    bucket, _ = fallback_of(probe)
    place = f"s3://{bucket}/data/train.csv"
    try:
        got = seen_by(probe, "admin").get_object(Bucket=bucket, Key="data/train.csv")
        content = got["Body"].read()
    except ClientError as error:
        raise TutorialError(f"{place}: {error.response['Error']['Code']}.") from None
    except BotoCoreError as error:
        raise TutorialError(f"{place}: S3 does not answer ({type(error).__name__}).") from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.csv"
        file.write_bytes(content)
        published = run_in_workspace(probe.home, "tutorial.data_probe", str(file)).strip()
    if published != run.tags.get("data_digest"):
        raise TutorialError(
            f"{place} is data {published[:12]}; run {run.run_id} was trained on "
            f"{run.tags.get('data_digest', 'nothing that it tells')[:12]}."
        )
    return f"{place} is data {published[:12]}, as run {run.run_id} says"


def fallback_of(probe: Probe) -> tuple[str, str]:
    """Return bucket and key of the champion's copy, as the deployed app knows it."""
    return bucket_and_key(probe.platform.config().get(FALLBACK, ""), FALLBACK)


def a_copy_lies_ready(probe: Probe) -> str:
    """With the app's own keys, the copy in the bucket is the champion's file."""
    version = TrackingApi(probe.home).champion()
    config = probe.platform.config()
    bucket, key = fallback_of(probe)
    names = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    app = cloud.client(probe.home, "s3", *(config.get(name, "none") for name in names))
    try:
        content = app.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise TutorialError(f"The app cannot read s3://{bucket}/{key}: {code}.") from None
    except BotoCoreError as error:
        raise TutorialError(f"S3 does not answer ({type(error).__name__}).") from None
    if hashlib.sha256(content).hexdigest() != version.tags.get("file_sha256"):
        raise TutorialError(f"s3://{bucket}/{key} is another file than version {version.number}.")
    return f"s3://{bucket}/{key} is the file of version {version.number}, to the byte"


def a_sweep_was_made(probe: Probe) -> str:
    """Four finished runs or more differ in one parameter alone, and each has an interval."""
    api, _, champion = champion_of(probe)
    runs = [r for r in api.finished_runs(champion.experiment) if set(INTERVAL) <= set(r.metrics)]
    values, parameter = longest_sweep(runs)
    if len(values) < SWEEP:
        raise TutorialError(
            f"Of {len(runs)} finished runs with an interval, {len(values)} differ in one parameter alone; "
            f"{SWEEP} are wanted."
        )
    return f"{parameter} at {', '.join(values)}: {len(values)} runs, each with an interval"


def longest_sweep(runs: list[Run]) -> tuple[list[str], str]:
    """Return the most values that a parameter has in runs which agree in all others, and its name."""
    alike: dict[tuple[str, frozenset[tuple[str, str]]], set[str]] = defaultdict(set)
    for run in runs:
        for name, value in run.params.items():
            others = frozenset((n, v) for n, v in run.params.items() if n != name)
            alike[name, others].add(value)
    if not alike:
        return [], ""
    (name, _), values = max(alike.items(), key=lambda item: len(item[1]))
    return sorted(values, key=_by_size), name


def _by_size(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return 0.0, value


def the_champion_was_rebuilt(probe: Probe) -> str:
    """Somebody trained the champion again from its run's record, and the same model came out."""
    _, _, run = champion_of(probe)
    commit, digest = run.tags.get("git_commit", ""), run.tags.get("model_digest", "")
    if commit.endswith("-dirty"):
        raise TutorialError(f"The code of run {run.run_id} was never committed.")
    rebuilt = run.tags.get("rebuilt_digest")
    if not rebuilt:
        raise TutorialError(f"Nobody has rebuilt run {run.run_id}.")
    if rebuilt != digest:
        raise TutorialError(
            f"Rebuilt, run {run.run_id} is model {rebuilt[:12]}, not {digest[:12]}."
        )
    who, when = (run.tags.get(f"rebuilt_{name}", "somebody") for name in ("by", "at"))
    return f"run {run.run_id} by {who}, {when}: model {digest[:12]} both times"


def the_app_needs_no_tracking_server(probe: Probe) -> str:
    """The workspace's app, started where no tracking server is, serves the copy, and says so."""
    version = TrackingApi(probe.home).champion()
    config = {"MODEL_URI": URI, FALLBACK: ""} | probe.platform.config()
    with tempfile.TemporaryDirectory() as folder, _nobody() as nowhere:
        # A home of its own: what is known of an app that the reader started stays.
        apart = Home(Path(folder), probe.home.workspace)
        app = start_app(apart, config | {"MLFLOW_TRACKING_URI": nowhere})
        try:
            card = app.card()
        finally:
            app.stop()
    if card.get("status") != "serving":
        raise TutorialError(f"Without the server it has no model: {card.get('problem')}")
    if not card.get("fallback") or not card.get("problem") or not card.get("problem_since"):
        raise TutorialError(f"It serves {card.get('uri')}, and its card says nothing is wrong.")
    if card.get("digest") != version.tags.get("model_digest"):
        raise TutorialError(f"What stands in is another model than version {version.number}.")
    return f"started without it, the app serves {card['uri']}, and says so since {card['problem_since']}"


@contextmanager
def _nobody() -> Iterator[str]:
    """Give an address of this machine at which nobody answers, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and no listen: connections are refused
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


ITEMS = [
    Item(
        "The app serves the registry's champion",
        f"Set MODEL_URI to {URI} among the config vars, and look at `problem` in GET /model.",
        the_app_asks_the_registry,
    ),
    Item(
        "The champion's run has all that the audit asks for",
        "Train with `python scripts/train.py` while the server runs, and promote that version.",
        the_run_says_all,
    ),
    Item(
        "The champion's data is published",
        "Run scripts/promote.py again: it publishes data/train.csv if the champion was trained on it.",
        the_data_is_published,
    ),
    Item(
        "A copy of the champion lies ready",
        f"Set {FALLBACK} for the app, and run scripts/promote.py with the same value again.",
        a_copy_lies_ready,
    ),
    Item(
        f"{SWEEP} runs or more can be compared",
        "Run the cells below 'Four trainings'.",
        a_sweep_was_made,
    ),
    Item(
        "The champion was rebuilt from its record",
        "Run scripts/rebuild.py with the id of the champion's run.",
        the_champion_was_rebuilt,
    ),
    Item(
        "The app starts without a tracking server",
        f"Look at {FALLBACK} among the config vars, and at app/live.py.",
        the_app_needs_no_tracking_server,
    ),
]
