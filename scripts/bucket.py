"""What a bucket holds under one key: now, and before."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

Place = dict[str, str]  # Bucket and Key, as S3's requests call them


def connect() -> Any:
    """Return a client of S3, as the AWS_* variables say. A server that is away costs seconds."""
    retries: Any = {"total_max_attempts": 2, "mode": "standard"}
    # A file goes with its checksum, which is signed. So it is not read once more to sign it too.
    config = Config(connect_timeout=10, retries=retries, s3={"payload_signing_enabled": False})
    return boto3.Session().client("s3", config=config)


def held(s3: Any, place: Place) -> Any:
    """Return what S3 tells of the object now; nothing where none is, or none that this user may see."""
    try:
        return s3.head_object(**place, ChecksumMode="ENABLED")
    except ClientError:
        return {}


def version_of(answer: Any) -> str:
    """Return the version that an answer of S3 speaks of; "null" where the bucket keeps no versions."""
    return str(answer.get("VersionId", "null"))


def listed(s3: Any, place: Place) -> str:
    """Return a table of the object's versions: id, when (UTC), size, which is current; newest first."""
    asked = {"Bucket": place["Bucket"], "Prefix": place["Key"]}
    pages = s3.get_paginator("list_object_versions").paginate(**asked)
    rows = [
        f"{version['VersionId']}  {version['LastModified']:%Y-%m-%d %H:%M:%S}  "
        f"{version['Size']:,} bytes{'  current' if version['IsLatest'] else ''}"
        for page in pages
        for version in page.get("Versions", [])
        if version["Key"] == place["Key"]  # longer keys begin with it too
    ]
    return "\n".join(rows) or "no version of it is there"


def restore(s3: Any, place: Place, version: str) -> str:
    """Make an old version current again by a copy, which is a new version; return what was done.

    Readers get the one or the other, and what came in between is kept.
    """
    if version_of(held(s3, place)) == version:
        return f"version {version} is current already"
    source = {**place, "VersionId": version}
    copy = s3.copy_object(**place, CopySource=source, ChecksumAlgorithm="SHA256")
    return f"version {version} is current again, as version {version_of(copy)}"
