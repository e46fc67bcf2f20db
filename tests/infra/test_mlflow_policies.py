"""What the machine's role and the workflows' may do of S3, tried on an S3 that enforces policies."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_template import BUCKET, REPOSITORY, rehearsal
from botocore.exceptions import ClientError

from local_s3 import LocalS3, local_s3

ARTIFACT, BACKUP, SCRIPTS, MODEL = (
    "mlflow/1/abc/artifacts/model.skops",
    "backups/mlflow.db",
    "setup/host.tar.gz",
    "models/sentiment.skops",
)
DATA, CERTIFICATE, OTHERS = "data/train.csv", "setup/ca.pem", "of-somebody-else"
ALL = (ARTIFACT, BACKUP, SCRIPTS, MODEL, DATA, CERTIFICATE)


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of each role one policy that allows what all of its policies together do, as the stack has it."""
    with (
        pytest.MonkeyPatch.context() as patch,
        rehearsal(patch, tmp_path_factory.mktemp("aws")) as aws,
    ):
        aws.create(**REPOSITORY)
        return {
            role: {
                "Version": "2012-10-17",
                "Statement": [
                    statement
                    for document in aws.policies(role).values()
                    for statement in document["Statement"]
                ],
            }
            for role in ("ServerRole", "GitHubRole")
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        for bucket in (BUCKET, OTHERS):
            s3 = server.bucket(bucket)
            for key in ALL:
                s3.put_object(Bucket=bucket, Key=key, Body=b"first")
        yield server


@pytest.fixture(scope="module")
def machine(server: LocalS3, policies: dict[str, dict[str, Any]]) -> Any:
    return server.client(keys=server.user("machine", policies["ServerRole"]))


@pytest.fixture(scope="module")
def workflow(server: LocalS3, policies: dict[str, dict[str, Any]]) -> Any:
    return server.client(keys=server.user("workflow", policies["GitHubRole"]))


def error(request: Callable[..., Any], **arguments: Any) -> str:
    """The code that a request is answered with; "" where it is allowed."""
    try:
        request(**arguments)
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def at(key: str, bucket: str = BUCKET) -> dict[str, str]:
    return {"Bucket": bucket, "Key": key}


def listing(prefix: str, bucket: str = BUCKET) -> dict[str, str]:
    return {"Bucket": bucket, "Prefix": prefix}


MACHINE = {
    "write an artifact": ("put_object", {**at("mlflow/1/new"), "Body": b"x"}),
    "read an artifact": ("get_object", at(ARTIFACT)),
    "list artifacts": ("list_objects_v2", listing("mlflow/1/abc/artifacts/")),
    "delete an artifact": ("delete_object", at("mlflow/1/new")),
    "fetch the scripts": ("get_object", at(SCRIPTS)),
    "show its certificate": ("put_object", {**at(CERTIFICATE), "Body": b"x"}),
    "look for a backup": ("list_objects_v2", listing("backups/")),
    "write a backup": ("put_object", {**at(BACKUP), "Body": b"x"}),
    "read a backup": ("get_object", at(BACKUP)),
}
NOT_THE_MACHINE = {
    "change the scripts": ("put_object", {**at(SCRIPTS), "Body": b"mine"}),
    "delete a backup": ("delete_object", at(BACKUP)),
    "read a model": ("get_object", at(MODEL)),
    "write a model": ("put_object", {**at(MODEL), "Body": b"mine"}),
    "read data": ("get_object", at(DATA)),
    "list all": ("list_objects_v2", {"Bucket": BUCKET}),
    "list models": ("list_objects_v2", listing("models/")),
    "list versions": ("list_object_versions", listing("mlflow/")),
    "read another bucket": ("get_object", at(ARTIFACT, OTHERS)),
    "write another bucket": ("put_object", {**at(ARTIFACT, OTHERS), "Body": b"mine"}),
    "list another bucket": ("list_objects_v2", listing("mlflow/", OTHERS)),
    "open the bucket": ("delete_public_access_block", {"Bucket": BUCKET}),
    "end the versions": (
        "put_bucket_versioning",
        {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "change who may": ("put_bucket_policy", {"Bucket": BUCKET, "Policy": "{}"}),
    "delete the bucket": ("delete_bucket", {"Bucket": BUCKET}),
}
WORKFLOW = {
    "publish a model": ("put_object", {**at(MODEL), "Body": b"new"}),
    "read a model": ("get_object", at(MODEL)),
    "publish data": ("put_object", {**at(DATA), "Body": b"new"}),
    "read data": ("get_object", at(DATA)),
    "list a model's versions": ("list_object_versions", listing(MODEL)),
}
NOT_A_WORKFLOW = {
    "read an artifact": ("get_object", at(ARTIFACT)),
    "write an artifact": ("put_object", {**at(ARTIFACT), "Body": b"mine"}),
    "read the runs": ("get_object", at(BACKUP)),
    "change the scripts": ("put_object", {**at(SCRIPTS), "Body": b"mine"}),
    "change the certificate": ("put_object", {**at(CERTIFICATE), "Body": b"mine"}),
    "delete a model": ("delete_object", at(MODEL)),
    "list all": ("list_object_versions", {"Bucket": BUCKET}),
    "write another bucket": ("put_object", {**at(MODEL, OTHERS), "Body": b"mine"}),
    "delete the bucket": ("delete_bucket", {"Bucket": BUCKET}),
}


@pytest.mark.parametrize("deed", MACHINE)
def test_the_machine_may(machine: Any, deed: str) -> None:
    request, arguments = MACHINE[deed]
    assert error(getattr(machine, request), **arguments) == ""


@pytest.mark.parametrize("deed", NOT_THE_MACHINE)
def test_the_machine_may_not(machine: Any, deed: str) -> None:
    request, arguments = NOT_THE_MACHINE[deed]
    assert error(getattr(machine, request), **arguments) == "AccessDenied"


def test_no_version_of_an_artifact_can_be_destroyed(server: LocalS3, machine: Any) -> None:
    """A deletion of the machine's puts a marker before the versions, and they stay."""
    version = server.client().head_object(**at(ARTIFACT))["VersionId"]
    assert error(machine.delete_object, **at(ARTIFACT), VersionId=version) == "AccessDenied"


@pytest.mark.parametrize("deed", WORKFLOW)
def test_a_workflow_may(workflow: Any, deed: str) -> None:
    request, arguments = WORKFLOW[deed]
    assert error(getattr(workflow, request), **arguments) == ""


@pytest.mark.parametrize("deed", NOT_A_WORKFLOW)
def test_a_workflow_may_not(workflow: Any, deed: str) -> None:
    request, arguments = NOT_A_WORKFLOW[deed]
    assert error(getattr(workflow, request), **arguments) == "AccessDenied"
