"""The checkers of the exercises. Each returns a sentence of praise or raises `TutorialError` with a hint."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import requests
from botocore.exceptions import ClientError
from docker.utils import exclude_paths

from tutorial.cloud import client, profile_keys
from tutorial.data_exercises import find_the_copies, tell_two_points
from tutorial.deployed import Platform, live_app
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.review_exercises import a_gate_rule, which_permission
from tutorial.tracking.record import USER, tracking
from tutorial.training_exercises import a_metric_of_your_own, who_trained_it

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

PATIENCE = 60  # seconds that a release may take


def fool_the_model(
    home: Home, review: str, truth: str, predict: Callable[[list[str]], float]
) -> str:
    """A review of five words or more that the model gets wrong and is sure of."""
    if truth not in ("positive", "negative"):
        raise TutorialError(f"Say what your review is, 'positive' or 'negative', not {truth!r}.")
    if len(review.split()) < 5:
        raise TutorialError("Write a review of five words or more.")
    positive = float(predict([review]))
    wrong = positive if truth == "negative" else 1 - positive
    if wrong < 0.7:
        raise TutorialError(
            f"The model gives {wrong:.0%} to the wrong verdict, and 70% are wanted. Irony, or praise for "
            "everything but the film, may help."
        )
    return (
        f"The model is {wrong:.0%} sure, and wrong. It counts words; it does not understand them."
    )


def how_many_reviews(home: Home, rows: int) -> str:
    """The number of test reviews from which on 2 points more than 90% are beyond the 95% interval."""
    # Half the width of the interval of a share p of n rows is about 1.96 * sqrt(p (1 - p) / n).
    needed = round(1.96**2 * 0.9 * 0.1 / 0.02**2)
    if rows < needed * 0.8:
        raise TutorialError(
            f"With {rows} reviews the interval is wider than 2 points to either side."
        )
    if rows > needed * 1.25:
        raise TutorialError(f"{rows} are more than needed: find the smallest number that will do.")
    return f"About {needed} reviews: four times as many for half the width."


def let_one_file_in(home: Home, lines: str) -> str:
    """Lines for .dockerignore that let data/DATASHEET.md into the image, and nothing else of data/."""
    patterns = (home.workspace / ".dockerignore").read_text(encoding="utf-8").splitlines()
    before, after = (
        {
            path
            for path in exclude_paths(str(home.workspace), wanted)
            if (home.workspace / path).is_file()
        }
        for wanted in (patterns, [*patterns, *lines.split("\n")])
    )
    if "data/DATASHEET.md" not in after:
        raise TutorialError("data/DATASHEET.md does not get in. An exception begins with `!`.")
    if before - after:
        raise TutorialError(f"{min(before - after)} got in before and does not now.")
    more = after - before - {"data/DATASHEET.md"}
    if more:
        raise TutorialError(f"{min(more)} gets in, too: name the one file.")
    return "One more file goes into the image, and no test data."


def go_back(home: Home, before: list[dict[str, Any]]) -> str:
    """A release that is a rollback came after those of `before`, is live, and its app answers."""
    platform = Platform(home)
    deadline = time.monotonic() + PATIENCE
    while (newest := platform.get("/releases")[-1])["status"] == "pending":
        if time.monotonic() > deadline:
            raise TutorialError(f"v{newest['version']} is not done yet: look again in a minute.")
        time.sleep(0.2)
    since = f"v{before[-1]['version']}"
    if newest["version"] <= before[-1]["version"]:
        raise TutorialError(f"No release came after {since}: POST to the app's releases makes one.")
    if not newest["description"].startswith("Rollback") or not newest["current"]:
        raise TutorialError(
            f"v{newest['version']} is {newest['description']!r}: it goes nowhere back."
        )
    live_app(home).wait_until(lambda card: card["status"] == "serving")
    return f"v{newest['version']} is live: {newest['description']}."


@contextmanager
def _somebody(home: Home, policy: str) -> "Iterator[S3Client]":
    """Give an S3 client of a user who has this policy and is gone in the end."""
    iam: IAMClient = client(home, "iam", *profile_keys(home, "admin"))
    name = f"exercise-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    with ExitStack() as undo:
        undo.callback(iam.delete_user, UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="mine", PolicyDocument=policy)
        undo.callback(iam.delete_user_policy, UserName=name, PolicyName="mine")
        made = iam.create_access_key(UserName=name)["AccessKey"]
        undo.callback(iam.delete_access_key, UserName=name, AccessKeyId=made["AccessKeyId"])
        yield client(home, "s3", made["AccessKeyId"], made["SecretAccessKey"])


def one_key(home: Home, policy: str, bucket: str) -> str:
    """A policy under which one model can be read, and nothing else; tried by a user who has it."""
    try:
        json.loads(policy)
    except ValueError as error:
        raise TutorialError(f"That is not JSON: {error}.") from None
    wanted, other = "models/sentiment.skops", "models/half.skops"
    admin: S3Client = client(home, "s3", *profile_keys(home, "admin"))
    admin.put_object(Bucket=bucket, Key=other, Body=b"not for the app")
    with _somebody(home, policy) as somebody:
        read = {}
        for key in (wanted, other):
            try:
                somebody.get_object(Bucket=bucket, Key=key)
                read[key] = True
            except ClientError:
                read[key] = False
    admin.delete_object(Bucket=bucket, Key=other)
    if not read[wanted]:
        raise TutorialError(f"With your policy nobody can read {wanted}, and the app must.")
    if read[other]:
        raise TutorialError(f"With your policy the app can read {other}, too.")
    return f"{wanted} can be read, {other} cannot."


def undo_a_deletion(home: Home, bucket: str) -> str:
    """The model is there again, and no delete marker is left."""
    admin: S3Client = client(home, "s3", *profile_keys(home, "admin"))
    listed = admin.list_object_versions(Bucket=bucket, Prefix="models/sentiment.skops")
    if any(marker["IsLatest"] for marker in listed.get("DeleteMarkers", [])):
        raise TutorialError("A delete marker is on top still.")
    latest = [version for version in listed.get("Versions", []) if version["IsLatest"]]
    if not latest:
        raise TutorialError("There is no version of the model left: upload it again.")
    return f"Version {latest[0]['VersionId']} is current again."


def stop_a_bad_change(
    home: Home,
    test: Callable[[Callable[[float], str]], object],
    good: Callable[[float], str],
    bad: Callable[[float], str],
) -> str:
    """A test that passes for the good version of a function and fails for the bad one."""
    try:
        test(good)
    except AssertionError as error:
        raise TutorialError(f"Your test fails for the good version ({error}): mend it.") from None
    try:
        test(bad)
    except AssertionError:
        return "Your test passes for the good version and stops the bad one."
    raise TutorialError(
        "Your test lets the bad version pass: what does it promise that is not true?"
    )


LEAKY_WORKFLOW = """\
name: Try the key
on:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  try:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - name: Is the key there?
        env:
          KEY: ${{ secrets.HEROKU_API_KEY }}
        run: |
          test -n "$KEY"
          echo "The key is $KEY"
          echo "It ends with" "$(echo "$KEY" | rev)"
          echo "It has ${#KEY} characters"
"""
LEAK = 18


def find_the_leak(home: Home, line: int) -> str:
    """The line of `LEAKY_WORKFLOW` that prints the secret in a form that GitHub does not know."""
    if line == LEAK - 1:
        raise TutorialError(
            f"Line {line} is careless, but the log shows *** there: GitHub knows that text."
        )
    if line != LEAK:
        raise TutorialError(f"Line {line} gives nobody the key: look for where it is printed.")
    return "Backwards it is another text, and GitHub does not know that it is secret."


def rotate_the_password(home: Home, run_id: str, old: str) -> str:
    """The old password is refused, the new one is let in, and the run is there."""
    server = tracking(home)
    if server is None:
        raise TutorialError("There is no tracking server here: run lab.tracking_server first.")
    with requests.Session() as session:
        session.trust_env = False
        url = f"{server.uri}/api/2.0/mlflow/runs/get?run_id={run_id}"
        before, after = (
            session.get(url, auth=(USER, password), timeout=PATIENCE)
            for password in (old, server.password)
        )
    if before.status_code != requests.codes.unauthorized:
        raise TutorialError("The old password still opens the door.")
    if not after.ok:
        raise TutorialError(f"With the new password the run is not found ({after.status_code}).")
    return "The old password is refused (401), and the run is there for the new one."


def a_smaller_policy(home: Home, policy: str, bucket: str) -> str:
    """A policy under which artifacts can be written, listed and read, and nothing can be deleted."""
    try:
        json.loads(policy)
    except ValueError as error:
        raise TutorialError(f"That is not JSON: {error}.") from None
    key = f"mlflow/exercise/{uuid.uuid4().hex}"
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("put_object", {"Key": key, "Body": b"an artifact"}),
        ("get_object", {"Key": key}),
        ("list_objects_v2", {"Prefix": "mlflow/exercise/"}),
    ]
    unwanted: list[tuple[str, dict[str, Any]]] = [
        ("delete_object", {"Key": key}),
        ("get_object", {"Key": "models/sentiment.skops"}),
        ("put_object", {"Key": "models/exercise", "Body": b""}),
    ]
    admin: S3Client = client(home, "s3", *profile_keys(home, "admin"))
    try:
        with _somebody(home, policy) as somebody:
            for operation, arguments in wanted:
                if not _may(somebody, operation, bucket, arguments):
                    raise TutorialError(f"With your policy the server may not {operation}.")
            for operation, arguments in unwanted:
                if _may(somebody, operation, bucket, arguments):
                    place = arguments["Key"].split("/")[0]
                    raise TutorialError(f"With your policy it may {operation} below {place}/.")
    finally:
        for place in (key, "models/exercise"):
            admin.delete_object(Bucket=bucket, Key=place)
    return "Artifacts can be written, listed and read; nothing can be deleted."


def _may(somebody: "S3Client", operation: str, bucket: str, arguments: dict[str, Any]) -> bool:
    try:
        getattr(somebody, operation)(Bucket=bucket, **arguments)
    except ClientError:
        return False
    return True


EXERCISES: dict[str, Callable[..., str]] = {
    "fool the model": fool_the_model,
    "how many reviews": how_many_reviews,
    "find the copies": find_the_copies,
    "tell two points": tell_two_points,
    "let one file in": let_one_file_in,
    "go back": go_back,
    "one key": one_key,
    "undo a deletion": undo_a_deletion,
    "stop a bad change": stop_a_bad_change,
    "find the leak": find_the_leak,
    "rotate the password": rotate_the_password,
    "a smaller policy": a_smaller_policy,
    "who trained it": who_trained_it,
    "a metric of your own": a_metric_of_your_own,
    "a gate rule": a_gate_rule,
    "which permission": which_permission,
}
