"""`scripts/promote.py`: one call moves the alias, all else can be done again, whatever ends it."""

import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest
from trainings import BUCKET, FALLBACK, PASSWORD, Logged, start_anew

import champion as champions
import promote as script
import publication
from app.live import Live
from app.settings import Settings
from app.sources import fetch
from local_s3 import LocalS3
from tracking_server import Way
from tutorial.home import PROJECT

URI = "models:/sentiment@champion"
COMMAND = [sys.executable, str(PROJECT / "scripts" / "promote.py")]
SECONDS = 60


@dataclass(frozen=True)
class Said:
    """What the script left: its exit status, and its two streams."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error, behind any bar."""
        return self.err.replace("\r", "\n").strip().splitlines()[-1]


connect = publication.connect


@cache
def s3_of(url: str) -> Any:
    """Return the client of an address, made once: that takes a second."""
    return connect()


@pytest.fixture
def promote(
    registry: mlflow.MlflowClient,
    settings: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Said]:
    """Run the script in this process, in a folder with the data that trained the models."""
    (tmp_path / "data").mkdir()
    for name in ("train.csv", "test.csv"):
        (tmp_path / "data" / name).write_bytes((PROJECT / "data" / name).read_bytes())
    settings.chdir(tmp_path)
    settings.setattr(publication, "connect", lambda: s3_of(os.environ["AWS_ENDPOINT_URL"]))

    def run(*arguments: str, by: str = "Grace") -> Said:
        start_anew()
        who = ["--by", by] if by else []
        settings.setattr(sys, "argv", ["promote.py", *arguments, *who])
        capfd.readouterr()
        status = 0
        try:
            script.main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
            print(ended.code, file=sys.stderr)
        written = capfd.readouterr()
        said = Said(status, written.out, written.err)
        secrets = (PASSWORD, os.environ.get("AWS_SECRET_ACCESS_KEY") or PASSWORD)
        assert not any(secret in said.out + said.err for secret in secrets)
        assert status in (0, 2) or said.sentence.endswith(".")
        return said

    return run


def alias(registry: mlflow.MlflowClient) -> str | None:
    """Return the champion's number."""
    return registry.get_registered_model("sentiment").aliases.get("champion")


def tags(registry: mlflow.MlflowClient, version: str) -> dict[str, str]:
    found: dict[str, str] = registry.get_model_version("sentiment", version).tags
    return found


def sha256(registry: mlflow.MlflowClient, version: str) -> str:
    return tags(registry, version)["file_sha256"]


class Bucket:
    """What is in the bucket."""

    def __init__(self, server: LocalS3) -> None:
        self.s3 = server.client()

    def held(self, key: str) -> bytes | None:
        try:
            body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return body

    def model(self) -> str | None:
        """Return the sha256 of the copy."""
        held = self.held("models/sentiment.skops")
        return hashlib.sha256(held).hexdigest() if held is not None else None


@pytest.fixture
def bucket(s3_server: LocalS3) -> Bucket:
    """The bucket, empty."""
    bucket = Bucket(s3_server)
    for key in ("models/sentiment.skops", "data/train.csv", "data/test.csv"):
        bucket.s3.delete_object(Bucket=BUCKET, Key=key)
    return bucket


def test_a_first_promotion(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    logged: list[Logged],
) -> None:
    said = promote("2", "--why", "it knows more films")

    assert (said.status, alias(registry)) == (0, "2")
    kept = tags(registry, "2")
    assert (kept["promoted_by"], kept["promoted_why"]) == ("Grace", "it knows more films")
    assert kept["promoted_at"].startswith("20")
    assert "former_version" not in kept
    assert bucket.model() == kept["file_sha256"]
    for name in ("data/train.csv", "data/test.csv"):
        assert bucket.held(name) == (PROJECT / name).read_bytes()
    for fact in (logged[1].digest[:12], logged[1].run_id, "83.3%, between", "after none"):
        assert fact in said.out


def test_the_next_one_and_the_way_back_and_further_back(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, bucket: Bucket
) -> None:
    for version in ("1", "2", "3"):
        assert promote(version).status == 0
    assert tags(registry, "3")["former_version"] == "2"
    assert bucket.model() == sha256(registry, "3")

    said = promote("--rollback", "--why", "it is wrong on sequels", by="Ada")

    assert (said.status, alias(registry)) == (0, "2")
    kept = tags(registry, "3")
    assert (kept["rolled_back_by"], kept["rolled_back_why"]) == ("Ada", "it is wrong on sequels")
    assert bucket.model() == sha256(registry, "2")
    assert not registry.get_registered_model("sentiment").tags

    assert promote("--rollback").status == 0
    assert alias(registry) == "1"

    said = promote("--rollback")
    assert (said.status, alias(registry)) == (1, "1")
    assert said.sentence == "Nothing was champion before version 1: promote a version."


def test_doing_it_again_changes_nothing(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, bucket: Bucket
) -> None:
    promote("1")
    promote("2", "--why", "the first time")
    before = tags(registry, "2")

    said = promote("2", "--why", "the second time")

    assert (said.status, alias(registry)) == (0, "2")
    assert tags(registry, "2") == before
    assert "already there" in said.out


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.fixture
def kill_before(settings: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """End the script before the request of that number which changes something."""
    ask = http.client.HTTPConnection.putrequest

    def at(number: int) -> None:
        left = number

        def putrequest(self: Any, method: str, *how: Any, **named: Any) -> None:
            nonlocal left
            left -= method not in ("GET", "HEAD")
            if method not in ("GET", "HEAD") and left < 0:
                raise KilledError
            ask(self, method, *how, **named)

        settings.setattr(http.client.HTTPConnection, "putrequest", putrequest)

    yield at
    settings.setattr(http.client.HTTPConnection, "putrequest", ask)


def run_killed_at_each_request(
    promote: Callable[..., Said], at: Callable[[int], None], *arguments: str
) -> Iterator[int]:
    """Kill the script before its first change, its second, ..., until it comes to its end."""
    for number in range(30):
        at(number)
        try:
            said = promote(*arguments)
        except KilledError:
            at(10_000)
            yield number
            continue
        assert said.status == 0
        assert number > 4
        at(10_000)
        return
    pytest.fail("it comes to no end")


def back_to(registry: mlflow.MlflowClient, bucket: Bucket, version: str) -> None:
    """Make it as if all since the promotion of a version had not been."""
    registry.set_registered_model_alias("sentiment", "champion", version)
    file = fetch(f"models:/sentiment/{version}")
    assert file
    body = file.path.read_bytes()
    bucket.s3.put_object(Bucket=BUCKET, Key="models/sentiment.skops", Body=body)


def test_a_promotion_that_is_killed_leaves_a_champion_and_can_be_run_again(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    kill_before: Callable[[int], None],
) -> None:
    promote("1")
    for _ in run_killed_at_each_request(promote, kill_before, "2"):
        assert alias(registry) in ("1", "2")
        if alias(registry) == "2":  # then all is known of it
            kept = tags(registry, "2")
            assert (kept["promoted_by"], kept["former_version"]) == ("Grace", "1")
            assert bucket.model() in (sha256(registry, "1"), sha256(registry, "2"))
        else:
            assert bucket.model() == sha256(registry, "1")

        assert promote("2").status == 0

        assert alias(registry) == "2"
        assert tags(registry, "2")["former_version"] == "1"
        assert bucket.model() == sha256(registry, "2")
        back_to(registry, bucket, "1")


def test_a_rollback_that_is_killed_and_run_again_goes_back_one_version_and_no_more(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    kill_before: Callable[[int], None],
) -> None:
    for version in ("1", "2", "3"):
        promote(version)
    for _ in run_killed_at_each_request(promote, kill_before, "--rollback"):
        assert alias(registry) in ("2", "3")

        assert promote("--rollback").status == 0

        assert alias(registry) == "2"
        assert bucket.model() == sha256(registry, "2")
        assert not registry.get_registered_model("sentiment").tags
        back_to(registry, bucket, "3")


def test_after_a_rollback_that_was_killed_a_promotion_counts(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    kill_before: Callable[[int], None],
) -> None:
    promote("1")
    promote("2")
    registry.set_registered_model_tag("sentiment", champions.GOING_BACK, "2")

    promote("3")
    promote("2")
    promote("--rollback")

    assert alias(registry) == "3"


@dataclass
class Shown:
    """An app that looks whenever its card is asked for; `live` is None where it has gone."""

    url: str
    live: Live | None
    looks: bool = True


@pytest.fixture
def app(
    registry: mlflow.MlflowClient, promote: Callable[..., Said], bucket: Bucket
) -> Iterator[Shown]:
    """An app that serves version 1."""
    promote("1")
    shown = Shown("", Live(Settings(URI)))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            live = shown.live
            if live and (shown.looks or not live.serving):
                live.refresh()
            body = json.dumps(live.card()).encode() if live else b"<html>no app here"
            self.send_response(200 if live else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        shown.url = f"http://127.0.0.1:{http_server.server_port}/"
        thread = threading.Thread(target=http_server.serve_forever, args=(0.05,))
        thread.start()
        yield shown
        http_server.shutdown()
        thread.join()


def test_it_waits_until_the_app_answers_with_the_version(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, app: Shown, logged: list[Logged]
) -> None:
    said = promote("2", "--wait", app.url)
    assert (said.status, alias(registry)) == (0, "2")
    assert f"{app.url} answers with version 2, after" in said.out
    assert app.live
    assert app.live.card()["digest"] == logged[1].digest

    said = promote("--rollback", "--wait", app.url)
    assert (said.status, alias(registry)) == (0, "1")
    assert app.live.card()["digest"] == logged[0].digest


def test_an_app_that_does_not_follow_gets_the_former_champion_back(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, app: Shown, bucket: Bucket
) -> None:
    app.looks = False

    said = promote("2", "--wait", app.url, "--seconds", "0.5")

    assert (said.status, alias(registry)) == (1, "1")
    assert said.sentence == (
        f"After 0.5 s {app.url} answers with version 1 of {URI} (it has seen no other), not with "
        "version 2; version 1 is champion again."
    )
    assert tags(registry, "2")["rolled_back_why"].startswith("After 0.5 s")
    assert bucket.model() == sha256(registry, "1")


def test_a_first_champion_that_the_app_does_not_serve_is_none(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, app: Shown
) -> None:
    registry.delete_registered_model_alias("sentiment", "champion")
    app.live = Live(Settings("models:/sentiment@other"))

    said = promote("2", "--wait", app.url, "--seconds", "0.5")

    assert (said.status, alias(registry)) == (1, None)
    assert said.sentence.endswith("not with version 2; none is champion again.")


def test_where_the_app_is_away_nothing_is_changed(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, app: Shown
) -> None:
    app.live = None
    before = tags(registry, "2")

    said = promote("2", "--wait", app.url)

    assert (said.status, alias(registry), tags(registry, "2")) == (1, "1", before)
    assert said.sentence == f"{app.url} does not answer with a model's card."


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("9", "models:/sentiment/9 cannot be had: the registry has no such model, version"),
        ("latest", "'models:/sentiment/latest' names no registered model"),
        ("0", "names no registered model"),
    ],
)
def test_what_is_no_version_is_not_promoted(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, version: str, complaint: str
) -> None:
    said = promote(version)
    assert (said.status, alias(registry)) == (1, None)
    assert complaint in said.sentence


@pytest.mark.parametrize(
    ("tag", "value", "complaint"),
    [
        ("model_digest", "d" * 64, "is not the model that was registered"),
        ("model_digest", None, "does not say its digest"),
        ("data_digest", None, "does not say its data"),
        ("test_accuracy", None, "does not say its accuracy"),
        ("file_sha256", "d" * 64, "is damaged"),
    ],
)
def test_a_version_that_is_not_what_its_record_says_is_not_promoted(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    tag: str,
    value: str | None,
    complaint: str,
) -> None:
    promote("1")
    if value:
        registry.set_model_version_tag("sentiment", "2", tag, value)
    else:
        registry.delete_model_version_tag("sentiment", "2", tag)

    said = promote("2")

    assert (said.status, alias(registry)) == (1, "1")
    assert complaint in said.sentence
    assert "promoted_by" not in tags(registry, "2")
    assert bucket.model() == sha256(registry, "1")


def test_where_s3_is_away_the_promotion_says_so_and_the_next_one_finishes_it(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    settings: pytest.MonkeyPatch,
) -> None:
    promote("1")
    url = os.environ["AWS_ENDPOINT_URL"]
    settings.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    said = promote("2")

    assert (said.status, alias(registry)) == (1, "2")
    assert said.sentence.startswith(f"{FALLBACK} is not the champion's yet: S3 does not answer")
    assert bucket.model() == sha256(registry, "1")

    settings.setenv("AWS_ENDPOINT_URL", url)
    assert promote("2").status == 0
    assert bucket.model() == sha256(registry, "2")


def test_where_the_registry_is_away_nothing_is_changed(
    promote: Callable[..., Said], way: Way, bucket: Bucket
) -> None:
    way.cut()
    for arguments in (["1"], ["--rollback"]):
        said = promote(*arguments)
        assert said.status == 1
        assert "does not answer" in said.sentence
    assert bucket.model() is None


@pytest.mark.parametrize("data", ["other", "none", "broken"])
def test_data_that_did_not_train_the_champion_is_not_published(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    tmp_path: Path,
    data: str,
) -> None:
    file = tmp_path / "data" / "train.csv"
    if data == "none":
        file.unlink()
    else:
        file.write_text("review,sentiment,film\nmine,positive,F\n" if data == "other" else "x\n")

    said = promote("1")

    assert (said.status, alias(registry)) == (0, "1")
    assert "The data is not published: data/train.csv" in said.out
    assert bucket.held("data/train.csv") is None
    assert bucket.model() == sha256(registry, "1")


def test_who_it_was_is_found_out_and_else_asked_for(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    bucket: Bucket,
    settings: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    said = promote("1", by="")
    assert (said.status, alias(registry)) == (1, None)
    assert said.sentence == "Nobody knows who you are: say it with --by NAME."

    subprocess.run(["git", "config", "--global", "user.name", "Ada L."], check=True)
    assert promote("1", by="").status == 0
    assert tags(registry, "1")["promoted_by"] == "Ada L."

    settings.setenv("GITHUB_ACTOR", "octocat")
    assert promote("2", by="").status == 0
    assert tags(registry, "2")["promoted_by"] == "octocat"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"MODEL_FALLBACK_URI": ""}, "MODEL_FALLBACK_URI is not set: set it to s3://BUCKET/KEY."),
        ({"MODEL_FALLBACK_URI": "models/x.skops"}, "'models/x.skops' names no file in S3"),
        ({"MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI is no address"),
    ],
)
def test_settings_that_are_wrong_are_named(
    promote: Callable[..., Said],
    registry: mlflow.MlflowClient,
    settings: pytest.MonkeyPatch,
    changed: dict[str, str],
    complaint: str,
) -> None:
    for name, value in changed.items():
        settings.setenv(name, value)
    said = promote("1")
    assert said.status == 1
    assert complaint in said.sentence
    assert alias(registry) is None


@pytest.mark.parametrize("arguments", [[], ["1", "--rollback"]])
def test_a_command_line_that_says_too_little_or_too_much_is_refused(
    promote: Callable[..., Said], arguments: list[str]
) -> None:
    assert promote(*arguments).status == 2


def test_as_a_process_it_can_be_interrupted_and_run_again(
    promote: Callable[..., Said], registry: mlflow.MlflowClient, app: Shown
) -> None:
    """As a person runs it: while it waits for an app that does not follow, they press Ctrl-C."""
    app.looks = False
    process = subprocess.Popen(
        [*COMMAND, "2", "--by", "Grace", "--wait", app.url],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
    )
    assert process.stdout
    while "is champion" not in (line := process.stdout.readline()):
        assert line, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, alias(registry)) == (1, "2")
    assert err.splitlines()[-1] == "Interrupted: run it again to do what is left to do."
    assert "Traceback" not in err

    app.looks = True
    assert promote("2", "--wait", app.url).status == 0
