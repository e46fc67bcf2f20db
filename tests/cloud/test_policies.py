"""The policies of the reader's two users: what each may do, and everything else that neither may."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_s3 import LocalS3, local_s3, policy
from tutorial.home import PROJECT

BUCKET = "reviews-of-a-reader"
MODEL, DATA, ELSEWHERE = "models/sentiment.skops", "data/train.csv", "mlflow/1/artifact"
NAMES = ("app-reads", "trainer-writes")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def version(server: LocalS3) -> str:
    """An old version of the model, in a bucket that holds something everywhere."""
    s3 = server.bucket(BUCKET)
    old = s3.put_object(Bucket=BUCKET, Key=MODEL, Body=b"old")["VersionId"]
    for key in (MODEL, DATA, ELSEWHERE):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"new")
    server.bucket("of-somebody-else").put_object(Bucket="of-somebody-else", Key=MODEL, Body=b"x")
    return old


@pytest.fixture(scope="module")
def app(server: LocalS3, version: str) -> Any:
    return server.client(keys=server.user("app", policy("app-reads", BUCKET)))


@pytest.fixture(scope="module")
def trainer(server: LocalS3, version: str) -> Any:
    return server.client(keys=server.user("trainer", policy("trainer-writes", BUCKET)))


def error(request: Callable[..., Any], **arguments: Any) -> str:
    """The code that a request is answered with; "" where it is allowed."""
    try:
        request(**arguments)
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def at(key: str, bucket: str = BUCKET) -> dict[str, str]:
    return {"Bucket": bucket, "Key": key}


def test_the_app_reads_models(app: Any) -> None:
    assert app.get_object(**at(MODEL))["Body"].read() == b"new"


NOT_THE_APP = {
    "read data": ("get_object", at(DATA)),
    "read elsewhere": ("get_object", at(ELSEWHERE)),
    "read another bucket": ("get_object", at(MODEL, "of-somebody-else")),
    "list": ("list_objects_v2", {"Bucket": BUCKET}),
    "list its models": ("list_objects_v2", {"Bucket": BUCKET, "Prefix": "models/"}),
    "list versions": ("list_object_versions", {"Bucket": BUCKET, "Prefix": MODEL}),
    "write a model": ("put_object", {**at(MODEL), "Body": b"mine"}),
    "delete a model": ("delete_object", at(MODEL)),
}
NOT_THE_TRAINER = {
    "read elsewhere": ("get_object", at(ELSEWHERE)),
    "write elsewhere": ("put_object", {**at(ELSEWHERE), "Body": b"mine"}),
    "read another bucket": ("get_object", at(MODEL, "of-somebody-else")),
    "write another bucket": ("put_object", {**at(MODEL, "of-somebody-else"), "Body": b"mine"}),
    "list elsewhere": ("list_object_versions", {"Bucket": BUCKET, "Prefix": "mlflow/"}),
    "list all": ("list_object_versions", {"Bucket": BUCKET}),
    "delete a model": ("delete_object", at(MODEL)),
    "share a model": ("put_object_acl", {**at(MODEL), "ACL": "public-read"}),
    "end the versions": (
        "put_bucket_versioning",
        {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "open the bucket": ("delete_public_access_block", {"Bucket": BUCKET}),
    "change who may": ("put_bucket_policy", {"Bucket": BUCKET, "Policy": "{}"}),
    "delete the bucket": ("delete_bucket", {"Bucket": BUCKET}),
}


@pytest.mark.parametrize("deed", NOT_THE_APP)
def test_the_app_may_do_nothing_else(app: Any, deed: str) -> None:
    request, arguments = NOT_THE_APP[deed]
    assert error(getattr(app, request), **arguments) == "AccessDenied"


@pytest.mark.parametrize("deed", NOT_THE_TRAINER)
def test_the_trainer_may_not_destroy_nor_change_settings(trainer: Any, deed: str) -> None:
    request, arguments = NOT_THE_TRAINER[deed]
    assert error(getattr(trainer, request), **arguments) == "AccessDenied"


@pytest.mark.parametrize("who", ["app", "trainer"])
def test_an_old_version_is_nobodys_to_delete(
    request: pytest.FixtureRequest, version: str, who: str
) -> None:
    """Nor the app's to read: it serves what is current."""
    s3 = request.getfixturevalue(who)
    assert error(s3.delete_object, **at(MODEL), VersionId=version) == "AccessDenied"
    reads = error(s3.get_object, **at(MODEL), VersionId=version)
    assert reads == ("AccessDenied" if who == "app" else "")


@pytest.mark.parametrize("key", ["models/new.skops", "data/test.csv"])
def test_the_trainer_writes_and_reads_models_and_data(trainer: Any, key: str) -> None:
    trainer.put_object(**at(key), Body=b"mine", ChecksumAlgorithm="SHA256")
    assert trainer.get_object(**at(key))["Body"].read() == b"mine"


def test_the_trainer_lists_versions_and_makes_an_old_one_current(
    trainer: Any, app: Any, version: str
) -> None:
    listed = trainer.list_object_versions(Bucket=BUCKET, Prefix=MODEL)["Versions"]
    assert version in [each["VersionId"] for each in listed]

    trainer.copy_object(**at(MODEL), CopySource={**at(MODEL), "VersionId": version})

    assert app.get_object(**at(MODEL))["Body"].read() == b"old"


@pytest.mark.parametrize("name", NAMES)
def test_only_resources_name_the_bucket(name: str) -> None:
    """So that putting the reader's bucket in changes nothing else."""
    text = (PROJECT / "infra" / f"{name}.json").read_text(encoding="utf-8")
    arns = re.findall(r'"arn:aws:s3:::BUCKET(?:/[a-z]+/\*)?"', text)
    assert len(arns) == text.count("BUCKET")
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_what_aws_takes(name: str) -> None:
    """The grammar of IAM's policies, as far as these two use it; Sids are letters and digits."""
    document = policy(name, BUCKET)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        assert "*" not in json.dumps(actions)
    assert len(json.dumps(document, separators=(",", ":"))) <= 2_048  # a user's inline policies
