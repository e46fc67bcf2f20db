"""The local cloud's S3 and IAM alone, on a free port: signatures and policies are enforced."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config

from tutorial.cloud.services import S3_HEALTH
from tutorial.home import PROJECT

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ROOT = ("123456789012", "whatever it is")  # S3 here takes any secret of the root key
REGION = "eu-west-1"
SECONDS = 60


@dataclass(frozen=True)
class LocalS3:
    """Where it answers, and what one does there as root."""

    url: str
    folder: Path

    def client(self, name: str = "s3", keys: tuple[str, str] = ROOT) -> Any:
        """Return a client of a service that signs with these keys."""
        return boto3.Session().client(
            name,  # type: ignore[call-overload]
            **{"endpoint_url": self.url, "region_name": REGION},
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def bucket(self, name: str) -> "S3Client":
        """Make a bucket that keeps versions; return root's client."""
        s3: S3Client = self.client()
        where: Any = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return s3

    def user(self, name: str, policy: Mapping[str, Any]) -> tuple[str, str]:
        """Make a user with a policy; return the key and the secret."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        document = json.dumps(policy)
        iam.put_user_policy(UserName=name, PolicyName="its-own", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def environment(self, keys: tuple[str, str] = ROOT) -> dict[str, str]:
        """Return the variables that lead a program here, and keep it from all else."""
        nothing = str(self.folder / "nothing")
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
        }


def policy(name: str, bucket: str) -> dict[str, Any]:
    """Return a policy of `infra/` for a bucket, made as the notebook makes it."""
    text = (PROJECT / "infra" / f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text.replace("BUCKET", bucket))
    return document


@contextmanager
def local_s3(folder: Path) -> Iterator[LocalS3]:
    """Serve until the block ends; all state is in the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = LocalS3(f"http://127.0.0.1:{port}", folder)
    settings = {"S3_PORT": str(port), "S3_FOLDER": str(folder), "S3_ROOT_KEY": ROOT[0]}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tutorial.cloud.s3"],
            **{"cwd": folder, "env": {**os.environ, **settings}, "stdout": log, "stderr": log},
        )
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(server):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "S3 does not answer"
                time.sleep(0.05)
            yield server
        finally:
            process.kill()  # there is nothing to keep
            process.wait(SECONDS)


def _answers(server: LocalS3) -> bool:
    try:
        return requests.get(server.url + S3_HEALTH, timeout=5).ok
    except requests.ConnectionError:
        return False
