"""Milestone 4: the tracking server lets in whom it knows, and keeps artifacts in S3 with keys for nothing else."""

import os
import uuid

import requests

from tutorial import cloud
from tutorial.checks.items import Item, Probe
from tutorial.checks.s3 import asked, must_be_denied, seen_by
from tutorial.errors import TutorialError
from tutorial.tracking.api import ARTIFACTS, ask
from tutorial.tracking.record import Tracking, tracking

API = "/api/2.0/mlflow/experiments/search?max_results=1"
LARGE = 5_000_000  # bytes: more than nginx takes by itself
FOREIGN = "http://elsewhere.example"


def server_of(probe: Probe) -> Tracking:
    """Return this home's tracking server; raises `TutorialError` where there is none."""
    server = tracking(probe.home)
    if server is None:
        raise TutorialError("There is no tracking server here.")
    return server


def must_answer(wanted: int, got: requests.Response, who: str) -> None:
    """Raise `TutorialError` for another status than the one that is wanted."""
    if got.status_code != wanted:
        raise TutorialError(f"{who} gets {got.status_code}, not {wanted}.")


def the_password_is_asked_for(probe: Probe) -> str:
    """Nobody gets in without the password, and with it everything answers."""
    server = server_of(probe)
    must_answer(401, ask(server, "GET", API, auth=None), "Somebody without a password")
    wrong = ("mlflow", "a guess")
    must_answer(401, ask(server, "GET", API, auth=wrong), "Somebody with a wrong password")
    must_answer(200, ask(server, "GET", API), "Whoever has the password")
    return f"401 without, 401 with a wrong one, 200 with it, from {server.uri}"


def foreign_pages_are_refused(probe: Probe) -> str:
    """A request that comes under another name, or from another site's page, is refused in spite of the password."""
    server = server_of(probe)
    create = "/api/2.0/mlflow/experiments/create"
    for header in ({"Host": "elsewhere.example"}, {"Origin": FOREIGN}):
        name, value = next(iter(header.items()))
        body = {"name": f"check-{uuid.uuid4().hex}"}
        got = ask(server, "POST", create, json=body, headers=header)
        must_answer(403, got, f"A request with {name}: {value}")
    return "403 for a foreign Host, 403 for a foreign Origin"


def what_is_large_gets_through(probe: Probe) -> str:
    """5 MB go through nginx to the bucket, come back the same, and are removed."""
    server = server_of(probe)
    content, path = os.urandom(LARGE), f"{ARTIFACTS}/check/{uuid.uuid4().hex}"
    must_answer(200, ask(server, "PUT", path, data=content), "An artifact of 5 MB")
    key = f"mlflow/{path.removeprefix(ARTIFACTS + '/')}"
    admin = seen_by(probe, "admin")
    code = asked(admin, "head_object", Bucket=server.bucket, Key=key)
    same = ask(server, "GET", path).content == content
    ask(server, "DELETE", path)
    if code:
        raise TutorialError(f"What was uploaded is not in s3://{server.bucket}/{key} ({code}).")
    if not same:
        raise TutorialError("What came back is not what was uploaded.")
    return f"up, in s3://{server.bucket}/mlflow/, and down again, by a client without keys to it"


def the_servers_keys_are_for_artifacts(probe: Probe) -> str:
    """The server's own keys reach artifacts, and neither models nor data."""
    server = server_of(probe)
    mine = cloud.client(probe.home, "s3", *cloud.profile_keys(probe.home, server.profile))
    whose, bucket = "The server's keys", server.bucket
    if code := asked(mine, "list_objects_v2", Bucket=bucket, Prefix="mlflow/"):
        raise TutorialError(f"{whose} cannot list mlflow/: {code}.")
    must_be_denied(mine, whose, "get_object", Bucket=bucket, Key="data/train.csv")
    must_be_denied(mine, whose, "put_object", Bucket=bucket, Key="models/check", Body=b"")
    off = {"Status": "Suspended"}
    must_be_denied(mine, whose, "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=off)
    return "artifacts below mlflow/; no data, no models, no settings"


def a_run_is_kept(probe: Probe) -> str:
    """A run was logged with a metric and a file, and the file is in the bucket."""
    server = server_of(probe)
    ids = [
        experiment["experiment_id"]
        for experiment in ask(
            server, "GET", "/api/2.0/mlflow/experiments/search?max_results=1000"
        ).json()["experiments"]
    ]
    found = ask(
        server,
        "POST",
        "/api/2.0/mlflow/runs/search",
        json={"experiment_ids": ids, "order_by": ["attributes.start_time DESC"]},
    ).json()
    for run in found.get("runs", []):
        place = str(run["info"].get("artifact_uri", ""))
        prefix = f"mlflow/{place.removeprefix('mlflow-artifacts:/')}/"
        kept = seen_by(probe, "admin").list_objects_v2(Bucket=server.bucket, Prefix=prefix)
        if run["data"].get("metrics") and kept["KeyCount"]:
            name = run["info"].get("run_name")
            return f"run {name!r}: metrics in MLflow, {kept['KeyCount']} files in the bucket"
    raise TutorialError("No run has left a metric and a file.")


ITEMS = [
    Item(
        "Nobody gets in without the password",
        "Look at auth_basic in infra/nginx.conf.template, and run lab.tracking_server again.",
        the_password_is_asked_for,
    ),
    Item(
        "A foreign name or page is refused, password or not",
        "Look at --allowed-hosts and --cors-allowed-origins in infra/mlflow.service.",
        foreign_pages_are_refused,
    ),
    Item(
        "A large artifact gets through, to the bucket, from a client without keys",
        "Look at client_max_body_size in infra/nginx.conf.template, and run lab.tracking_server again.",
        what_is_large_gets_through,
    ),
    Item(
        "The server's keys are for artifacts and nothing else",
        "Put the policy of infra/mlflow-artifacts.json on the user mlflow, as the notebook does.",
        the_servers_keys_are_for_artifacts,
    ),
    Item(
        "A run is kept with its files",
        "Run the cells below 'A first run'.",
        a_run_is_kept,
    ),
]
