"""S3 and IAM of the local cloud: what was acknowledged outlives a SIGKILL, and who may not is refused."""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import botocore.auth
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from cloud_processes import end, kill, kill_and_wait

from tutorial import cloud as local_cloud
from tutorial.home import Home

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

PART = 5 * 2**20  # bytes: S3 takes no smaller part than the last
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose local cloud is up, and may be killed."""
    root = tmp_path_factory.mktemp("own") / "home"
    home = Home(root, root / "workspace")
    local_cloud.up(home, say=lambda line: None)
    yield home
    end(home)


# Like `requests`, with the patience of a test.
ask = functools.partial(requests.request, timeout=30)


def client(home: Home, service: str, keys: tuple[str, str]) -> Any:
    """A client that asks once: what a second try would hide is to be seen."""
    settings = local_cloud.environment(home)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def s3(own: Home) -> "S3Client":
    made: S3Client = client(own, "s3", local_cloud.profile_keys(own, "admin"))
    return made


@pytest.fixture
def iam(own: Home) -> "IAMClient":
    made: IAMClient = client(own, "iam", local_cloud.profile_keys(own, "admin"))
    return made


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """The name of a new bucket that keeps versions."""
    name = f"bucket-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def read(s3: "S3Client", bucket: str, key: str, **version: str) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read())  # type: ignore[arg-type]


def policy(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(iam: "IAMClient", document: str) -> tuple[str, str, str]:
    """Make a user with a policy; return the name, the key and the secret."""
    name = f"user-{uuid4().hex[:12]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="its-own", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, key["AccessKeyId"], key["SecretAccessKey"]


def code_of(call: Callable[[], object]) -> str:
    """Return the code with which the call is refused."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


# --- What was acknowledged is kept ---------------------------------------------------------


def test_all_that_was_acknowledged_is_there_after_a_kill(
    own: Home, s3: "S3Client", iam: "IAMClient", bucket: str
) -> None:
    # Given settings of a bucket of each kind
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCKED)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "of", "Value": "us"}]})
    # And objects: written over, copied, uploaded in parts, deleted, brought back
    first = s3.put_object(Bucket=bucket, Key="models/a b+ü.skops", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="models/a b+ü.skops", Body=b"two")["VersionId"]
    s3.copy_object(
        Bucket=bucket,
        Key="copied",
        CopySource={"Bucket": bucket, "Key": "models/a b+ü.skops", "VersionId": first},
        Metadata={"digest": "abc"},
        MetadataDirective="REPLACE",
    )
    s3.put_object(Bucket=bucket, Key="hidden", Body=b"hidden")
    marker = s3.delete_object(Bucket=bucket, Key="hidden")["VersionId"]
    s3.put_object(Bucket=bucket, Key="back", Body=b"back again")
    gone = s3.delete_object(Bucket=bucket, Key="back")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="back", VersionId=gone)
    s3.put_object(Bucket=bucket, Key="older", Body=b"older")
    newer = s3.put_object(Bucket=bucket, Key="older", Body=b"newer")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="older", VersionId=newer)
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"", Tagging="run=1")
    for name in ("many/1", "many/2"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"many")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "many/1"}]})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    parts = [b"1" * PART, b"2" * 1000]
    tags = [
        s3.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=n, Body=part)["ETag"]
        for n, part in enumerate(parts, start=1)
    ]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="large",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]},
    )
    # And a user who may read one thing
    name, *keys = user(iam, policy("s3:GetObject", f"arn:aws:s3:::{bucket}/copied"))
    # When the service is killed
    kill_and_wait(own, "s3")
    # Then all of it is there
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block == BLOCKED
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "of", "Value": "us"}]
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == ["back", "copied", "large", "many/2", "models/a b+ü.skops", "older", "tagged"]
    assert read(s3, bucket, "models/a b+ü.skops") == b"two"
    assert read(s3, bucket, "models/a b+ü.skops", VersionId=first) == b"one"
    assert read(s3, bucket, "models/a b+ü.skops", VersionId=second) == b"two"
    copied = s3.get_object(Bucket=bucket, Key="copied")
    assert (copied["Body"].read(), copied["Metadata"]) == (b"one", {"digest": "abc"})
    assert code_of(lambda: s3.head_object(Bucket=bucket, Key="hidden")) == "404"
    markers = s3.list_object_versions(Bucket=bucket, Prefix="hidden")["DeleteMarkers"]
    assert [m["VersionId"] for m in markers] == [marker]
    assert read(s3, bucket, "back") == b"back again"
    assert read(s3, bucket, "older") == b"older"
    assert read(s3, bucket, "large") == b"".join(parts)
    tagging = s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]
    assert tagging == [{"Key": "run", "Value": "1"}]
    # And the user is who it was
    assert iam.get_user_policy(UserName=name, PolicyName="its-own")["PolicyName"] == "its-own"
    theirs = client(own, "s3", (keys[0], keys[1]))
    assert read(theirs, bucket, "copied") == b"one"
    refused = code_of(lambda: theirs.put_object(Bucket=bucket, Key="copied", Body=b"mine"))
    assert refused == "AccessDenied"
    # And a marker that is taken away brings back what it hid
    s3.delete_object(Bucket=bucket, Key="hidden", VersionId=marker)
    assert read(s3, bucket, "hidden") == b"hidden"


def test_the_very_last_call_is_kept_when_it_is_about_users(
    own: Home, iam: "IAMClient", bucket: str
) -> None:
    name, *former = user(iam, policy("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    iam.delete_access_key(UserName=name, AccessKeyId=former[0])
    kill_and_wait(own, "s3")
    caller = client(own, "sts", (key["AccessKeyId"], key["SecretAccessKey"])).get_caller_identity()
    assert caller["Arn"].endswith(f"user/{name}")
    # A key that was taken away stays away: that, too, was acknowledged
    refused = code_of(client(own, "sts", (former[0], former[1])).get_caller_identity)
    assert refused == "InvalidClientTokenId"


def test_the_very_last_call_is_kept_when_it_is_about_buckets(
    own: Home, s3: "S3Client", bucket: str
) -> None:
    name = f"empty-{uuid4().hex[:12]}"
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    kill_and_wait(own, "s3")
    names = [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert name in names
    assert bucket not in names


def test_the_very_last_call_is_kept_when_it_deletes_a_version(
    own: Home, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="model", Body=b"good")
    bad = s3.put_object(Bucket=bucket, Key="model", Body=b"bad")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="model", VersionId=bad)
    kill_and_wait(own, "s3")
    assert read(s3, bucket, "model") == b"good"


def test_an_object_alone_does_not_have_all_settings_written(
    own: Home, s3: "S3Client", bucket: str
) -> None:
    def written() -> list[int]:
        return [p.stat().st_ino for p in sorted((own.root / "cloud/s3/settings").glob("*.json"))]

    before = written()
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert written() == before
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert written() != before


@contextlib.contextmanager
def upload_cut_half_way(s3: "S3Client", bucket: str) -> Iterator[None]:
    """Send the head of a good upload and half its body; it ends with the block, and never goes on."""
    asked = {"Bucket": bucket, "Key": "model"}
    address = urlsplit(s3.generate_presigned_url("put_object", Params=asked))
    with socket.create_connection((str(address.hostname), address.port or 0)) as half:
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        half.sendall(f"{head}Content-Length: 2000000\r\n\r\n".encode() + b"x" * 1_000_000)
        yield


def test_an_upload_that_breaks_off_leaves_the_old_object(
    own: Home, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="model", Body=b"old")
    with upload_cut_half_way(s3, bucket):
        assert read(s3, bucket, "model") == b"old"
    assert read(s3, bucket, "model") == b"old"
    with upload_cut_half_way(s3, bucket):
        kill_and_wait(own, "s3")
    assert read(s3, bucket, "model") == b"old"
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


# --- What could not be kept is not acknowledged --------------------------------------------


@contextlib.contextmanager
def no_room_in(folder: Path) -> Iterator[None]:
    """Have a file where the folder was, so that nothing can be written there."""
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    folder.touch()
    yield
    folder.unlink()
    aside.rename(folder)


def test_a_user_who_could_not_be_written_down_is_not_acknowledged(
    own: Home, iam: "IAMClient"
) -> None:
    with no_room_in(own.root / "cloud" / "s3" / "settings"):
        with pytest.raises(ClientError) as refused:
            iam.create_user(UserName="nobody")
        # The process ends before the folder is back: memory alone knew the user
        kill(own, "s3")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert refused.value.response["Error"]["Code"] == "InternalError"
    local_cloud.up(own, say=lambda line: None)
    assert "nobody" not in [entry["UserName"] for entry in iam.list_users()["Users"]]


def test_an_object_that_could_not_be_written_down_is_not_acknowledged(
    own: Home, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="model", Body=b"old")
    (folder,) = (own.root / "cloud" / "s3" / "objects").glob(f"*/{bucket}")
    with no_room_in(folder):
        refused = code_of(lambda: s3.put_object(Bucket=bucket, Key="other", Body=b"new"))
        assert refused == "InternalError"
        # Nor is an object served empty whose file cannot be read
        refused = code_of(lambda: s3.get_object(Bucket=bucket, Key="model"))
        assert refused == "InternalError"
    assert read(s3, bucket, "model") == b"old"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "settings").touch(), "cannot be used"),
        (lambda folder: (folder / "objects").touch(), "cannot be used"),
        (lambda folder: spoil(folder / "settings" / "iam.json"), "is damaged"),
    ],
    ids=["settings", "objects", "users"],
)
def test_it_does_not_begin_anew_where_it_cannot_read_what_it_kept(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(tmp_path)
    settings = {"S3_PORT": "1", "S3_FOLDER": str(tmp_path), "S3_ROOT_KEY": "123456789012"}
    done = subprocess.run(
        [sys.executable, "-m", "tutorial.cloud.s3"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert words in sentence
    if (kept := tmp_path / "settings" / "iam.json").exists():
        assert kept.read_text() == '{"users": '


def spoil(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"users": ')


# --- Who may not come in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/health"),
        ("GET", "/_ministack/config"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_localstack/health"),
        ("POST", "//_ministack/reset"),
        ("POST", "/%5fministack/reset"),
        ("POST", "/_localstack/state/reset"),
    ],
)
def test_there_is_no_door_for_administrators(
    own: Home, s3: "S3Client", bucket: str, method: str, path: str
) -> None:
    url = local_cloud.environment(own)["AWS_ENDPOINT_URL"]
    answer = ask(method, url + path)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text
    s3.head_bucket(Bucket=bucket)


def test_without_keys_nobody_comes_in(own: Home, s3: "S3Client", bucket: str) -> None:
    url = local_cloud.environment(own)["AWS_ENDPOINT_URL"]
    s3.put_object(Bucket=bucket, Key="model", Body=b"mine")
    for answer in (
        ask("GET", url),
        ask("GET", f"{url}/{bucket}/model"),
        ask("PUT", f"{url}/{bucket}/model", data=b"theirs"),
        ask("DELETE", f"{url}/{bucket}"),
        ask("POST", f"{url}/{bucket}", files={"key": (None, "form"), "file": b"theirs"}),
        ask("POST", url, data={"Action": "ListUsers", "Version": "2010-05-08"}),
    ):
        assert answer.status_code == 403
    assert read(s3, bucket, "model") == b"mine"


@pytest.mark.parametrize("key", ["test", "000000000000", "111111111111"])
def test_a_key_that_any_ministack_takes_is_refused(own: Home, bucket: str, key: str) -> None:
    theirs = client(own, "s3", (key, "test"))
    assert code_of(theirs.list_buckets) == "InvalidAccessKeyId"
    assert code_of(client(own, "iam", (key, "test")).list_users) == "InvalidClientTokenId"
    presigned = theirs.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    assert ask("GET", presigned).status_code == 403
    # Nor does it come in beside another, or in the manner of former years
    url = local_cloud.environment(own)["AWS_ENDPOINT_URL"]
    known = local_cloud.profile_keys(own, "admin")[0]
    scope = "20261125/eu-west-1/s3/aws4_request"
    beside = {"Authorization": f"AWS4-HMAC-SHA256 Credential={known}/{scope}"}
    assert ask("GET", presigned, headers=beside).status_code == 403
    former = {"Authorization": f"AWS {key}:signature"}
    assert ask("GET", f"{url}/{bucket}", headers=former).status_code == 403
    query = f"AWSAccessKeyId={key}&Signature=x&Expires=9999999999"
    assert ask("GET", f"{url}/{bucket}?{query}").status_code == 403


def test_keys_that_are_not_right_are_refused(own: Home, s3: "S3Client", bucket: str) -> None:
    key = local_cloud.profile_keys(own, "admin")[0]
    wrong, unknown = (key, "not its secret"), ("AKIAIOSFODNN7EXAMPLE", "not its secret")
    assert code_of(client(own, "s3", wrong).list_buckets) == "SignatureDoesNotMatch"
    assert code_of(client(own, "iam", wrong).list_users) == "SignatureDoesNotMatch"
    assert code_of(client(own, "s3", unknown).list_buckets) == "InvalidAccessKeyId"
    assert code_of(client(own, "iam", unknown).list_users) == "InvalidClientTokenId"
    asked = {"Bucket": bucket, "Key": "model"}
    for keys in (wrong, unknown):
        url = client(own, "s3", keys).generate_presigned_url("put_object", Params=asked)
        assert ask("PUT", url, data=b"theirs").status_code == 403


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_wrong_is_told(
    own: Home, s3: "S3Client", iam: "IAMClient", minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(by: int) -> Callable[[], datetime]:
        return lambda: datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=by)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", shifted(minutes))
    assert code_of(s3.list_buckets) == "RequestTimeTooSkewed"
    assert code_of(iam.list_users) == "SignatureDoesNotMatch"  # as IAM itself calls it
    monkeypatch.setattr(botocore.auth, "get_current_datetime", shifted(minutes // 2))
    s3.list_buckets()
    iam.list_users()


def test_a_user_may_do_what_the_policy_says_and_no_more(
    own: Home, s3: "S3Client", iam: "IAMClient", bucket: str
) -> None:
    other = f"other-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for name in (bucket, other):
        s3.put_object(Bucket=name, Key="model", Body=b"mine")
    _, *keys = user(iam, policy("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    reader: S3Client = client(own, "s3", (keys[0], keys[1]))
    assert read(reader, bucket, "model") == b"mine"
    for refused in (
        lambda: reader.put_object(Bucket=bucket, Key="model", Body=b"theirs"),
        lambda: reader.delete_object(Bucket=bucket, Key="model"),
        lambda: reader.get_object(Bucket=other, Key="model"),
        lambda: reader.list_objects_v2(Bucket=bucket),
        client(own, "iam", (keys[0], keys[1])).list_users,
        lambda: client(own, "iam", (keys[0], keys[1])).create_user(UserName="friend"),
    ):
        assert code_of(refused) in ("AccessDenied", "AccessDeniedException")
    # And a link that such a user signs is worth as much
    asked = {"Bucket": bucket, "Key": "model"}
    link = reader.generate_presigned_url("get_object", Params=asked)
    assert ask("GET", link).content == b"mine"
    link = reader.generate_presigned_url("put_object", Params=asked)
    assert ask("PUT", link, data=b"theirs").status_code == 403
    assert read(s3, bucket, "model") == b"mine"


def test_there_is_nothing_of_amazons_but_s3_and_iam(own: Home) -> None:
    keys = local_cloud.profile_keys(own, "admin")
    assert code_of(client(own, "sqs", keys).list_queues) == "400"
    assert code_of(client(own, "lambda", keys).list_functions) == "400"
