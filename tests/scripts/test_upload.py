"""`scripts/upload.py`, run as a reader runs it, against S3 itself: whole uploads, versions, the way back."""

import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_s3 import ROOT, LocalS3, local_s3, policy
from tutorial.home import PROJECT

BUCKET = "reviews-of-a-reader"
URI = f"s3://{BUCKET}/models/sentiment.skops"
PLACE = {"Bucket": BUCKET, "Key": "models/sentiment.skops"}
COMMAND = [sys.executable, str(PROJECT / "scripts" / "upload.py")]
SECONDS = 60

# Found by Python at its start: the machine's clock, as boto3 sees it, is an hour late.
LATE = """
import datetime, botocore.auth
now = botocore.auth.get_current_datetime
botocore.auth.get_current_datetime = lambda *a, **k: now(*a, **k) - datetime.timedelta(hours=1)
"""


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        server.bucket(BUCKET)
        server.client().create_bucket(
            Bucket="without-versions",
            **{"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
        )
        yield server


@pytest.fixture(scope="module")
def trainer(server: LocalS3) -> tuple[str, str]:
    return server.user("trainer", policy("trainer-writes", BUCKET))


@pytest.fixture
def environment(server: LocalS3, trainer: tuple[str, str]) -> dict[str, str]:
    """The trainer's settings, which a test may change."""
    return {**os.environ, **server.environment(trainer)}


@pytest.fixture
def upload(environment: dict[str, str], tmp_path: Path) -> Callable[..., Said]:
    """Run the script with some arguments."""

    def run(*arguments: str) -> Said:
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        done = subprocess.run([*COMMAND, *arguments], **options)
        said = Said(done.returncode, done.stdout, done.stderr)
        assert environment["AWS_SECRET_ACCESS_KEY"] not in said.out + said.err
        assert "Traceback" not in said.err
        return said

    return run


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file that no other test uploads."""
    path = tmp_path / "sentiment.skops"
    path.write_bytes(request.node.name.encode() * 100)
    return path


def held(server: LocalS3) -> bytes:
    body: bytes = server.client().get_object(**PLACE)["Body"].read()
    return body


def versions(server: LocalS3) -> list[str]:
    """The versions of the object, the newest first."""
    listed = server.client().list_object_versions(Bucket=BUCKET, Prefix=PLACE["Key"])
    return [version["VersionId"] for version in listed.get("Versions", [])]


def test_an_upload_says_what_is_there_now(
    upload: Callable[..., Said], server: LocalS3, file: Path
) -> None:
    said = upload(str(file), URI)

    sha256 = hashlib.sha256(file.read_bytes())
    there = server.client().head_object(**PLACE, ChecksumMode="ENABLED")
    assert said.status == 0
    assert said.out == (
        f"{URI}\nuploaded: {file.stat().st_size:,} bytes, sha256 {sha256.hexdigest()[:12]}, "
        f"version {there['VersionId']}\n"
    )
    assert there["ChecksumSHA256"] == base64.b64encode(sha256.digest()).decode()
    assert held(server) == file.read_bytes()


def test_the_bar_ends_full_and_fits_the_terminal(upload: Callable[..., Said], file: Path) -> None:
    """It tells of what was sent, so what boto3 reads to sign it does not count."""
    file.write_bytes(os.urandom(3 * 2**20))
    bars = upload(str(file), URI).err.replace("\r", "\n").splitlines()
    assert "100%" in bars[-1]
    assert "3.00M/3.00M" in bars[-1]
    assert max(map(len, bars)) <= 79


def test_what_is_there_already_is_not_uploaded_again(
    upload: Callable[..., Said], server: LocalS3, file: Path
) -> None:
    upload(str(file), URI)
    before = versions(server)

    said = upload(str(file), URI)

    assert said.status == 0
    assert "already there: " in said.out
    assert said.out.endswith(f"version {before[0]}\n")
    assert versions(server) == before


def test_versions_are_listed_with_the_current_one_first(
    upload: Callable[..., Said], server: LocalS3, file: Path
) -> None:
    upload(str(file), URI)
    server.client().put_object(Bucket=BUCKET, Key=PLACE["Key"] + ".md", Body=b"of another key")

    said = upload("--versions", URI)

    name, *rows = said.out.splitlines()
    assert said.status == 0
    assert name == URI
    assert rows[0].endswith(f"{file.stat().st_size:,} bytes  current")
    assert [row.split()[0] for row in rows] == [
        version["VersionId"]
        for version in server.client().list_object_versions(Bucket=BUCKET)["Versions"]
        if version["Key"] == PLACE["Key"]
    ]
    assert sum("current" in row for row in rows) == 1
    assert max(map(len, rows)) <= 79


def test_an_old_version_becomes_current_and_nothing_is_lost(
    upload: Callable[..., Said], server: LocalS3, file: Path
) -> None:
    # given
    upload(str(file), URI)
    first = versions(server)[0]
    old = file.read_bytes()
    file.write_bytes(b"a mistake of " + old)
    upload(str(file), URI)
    before = versions(server)

    # when
    said = upload("--restore", first, URI)

    # then
    newest, *others = versions(server)
    assert said.status == 0
    assert said.out == f"{URI}\nversion {first} is current again, as version {newest}\n"
    assert held(server) == old
    assert others == before

    # when done again, and when that file is uploaded again
    again = upload("--restore", newest, URI)
    file.write_bytes(old)
    same = upload(str(file), URI)

    # then
    assert again.out == f"{URI}\nversion {newest} is current already\n"
    assert "already there" in same.out
    assert versions(server)[0] == newest


def test_a_bucket_without_versions_says_so(
    upload: Callable[..., Said], environment: dict[str, str], server: LocalS3, file: Path
) -> None:
    environment |= server.environment(ROOT)
    said = upload(str(file), "s3://without-versions/key")
    assert (said.status, said.out.split()[-2:]) == (0, ["version", "null"])


class Stalling:
    """A relay to S3 that takes a request's first bytes and then no more."""

    def __init__(self, url: str, after: int) -> None:
        self.after, self.stalled = after, threading.Event()
        self.target = (urlsplit(url).hostname, urlsplit(url).port)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.open: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self.listening.accept()[0], socket.create_connection(self.target)
                self.open += [client, server]
                for pair in ((client, server, self.after), (server, client, 2**60)):
                    threading.Thread(target=self.relay, args=pair, daemon=True).start()

    def relay(self, source: socket.socket, target: socket.socket, limit: int) -> None:
        with suppress(OSError):
            while limit > 0 and (data := source.recv(2**16)):
                target.sendall(data)
                limit -= len(data)
            if limit <= 0:
                self.stalled.set()
                return
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for each in (self.listening, *self.open):
            each.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_upload_that_is_ended_half_way_changes_and_leaves_nothing(
    upload: Callable[..., Said],
    environment: dict[str, str],
    server: LocalS3,
    file: Path,
    number: signal.Signals,
) -> None:
    # given
    upload(str(file), URI)
    old, before = file.read_bytes(), versions(server)
    file.write_bytes(os.urandom(20_000_000))
    relay = Stalling(server.url, 1_000_000)
    environment["AWS_ENDPOINT_URL"] = relay.url

    # when
    process = subprocess.Popen(
        [*COMMAND, str(file), URI], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert relay.stalled.wait(SECONDS)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    relay.close()

    # then
    assert process.returncode == (1 if number == signal.SIGINT else -number)
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "interrupted" in err.splitlines()[-1]
    s3 = server.client()
    assert held(server) == old
    assert versions(server) == before
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing", URI], "nothing cannot be uploaded (No such file or directory)"),
        ([".", URI], ". cannot be uploaded (Is a directory)"),
        (["empty", URI], "empty is empty"),
        (["some", "s3://"], "'s3://' names no file in S3"),
        (["some", "s3://b/key"], "'s3://b/key' names no file"),
        (["some", "s3://My_Bucket/key"], "'s3://My_Bucket/key' names no file"),
        (["some", "models/sentiment.skops"], "'models/sentiment.skops' names no file"),
        (["some", "s3://nobodys-bucket/key"], "there is no such bucket: make it"),
        (["some", f"s3://{BUCKET}/elsewhere/key"], "lacks the permission s3:PutObject"),
        (["some", "s3://without-versions/key"], "or it is somebody else's"),
        (["--versions", f"s3://{BUCKET}/elsewhere/key"], "s3:ListBucketVersions"),
        (["--restore", "no-such-version", URI], "there is no such version"),
        (["--restore", "x", f"s3://{BUCKET}/elsewhere/key"], "s3:GetObjectVersion"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    upload: Callable[..., Said], tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "some").write_bytes(b"some")
    said = upload(*arguments)
    assert (said.status, said.out) == (1, "")
    assert complaint in said.sentence
    assert said.sentence.endswith(".")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "k" * 40}, "AWS_SECRET_ACCESS_KEY is not the secret"),
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "S3 does not know AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": ""}, "there are no credentials"),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "S3 does not answer"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "AWS_ENDPOINT_URL is not an address"),
    ],
)
def test_settings_that_are_wrong_are_named(
    upload: Callable[..., Said],
    environment: dict[str, str],
    file: Path,
    changed: dict[str, str],
    complaint: str,
) -> None:
    environment |= changed
    said = upload(str(file), URI)
    assert said.status == 1
    assert complaint in said.sentence
    assert said.sentence.endswith(".")


def test_a_clock_that_is_wrong_is_named(
    upload: Callable[..., Said], environment: dict[str, str], file: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LATE)
    environment["PYTHONPATH"] = str(tmp_path)
    said = upload(str(file), URI)
    assert (said.status, said.out) == (1, "")
    assert "clock" in said.sentence


@pytest.mark.parametrize("arguments", [[URI], ["some", "--versions", URI], []])
def test_a_command_line_that_says_too_little_or_too_much_is_refused(
    upload: Callable[..., Said], arguments: list[str]
) -> None:
    said = upload(*arguments)
    assert said.status == 2
    assert "error: " in said.sentence
