"""A model in S3, or where S3's protocol is spoken: the bucket proves which version of a file it is."""

import re
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.sources import Fetched, SourceError
from app.sources.s3_errors import advice, code_of

LARGEST = 100_000_000  # bytes: no model that a small server can hold in memory is larger


def fetch(uri: str, known_version: str | None = None) -> Fetched | None:
    """Download what `s3://BUCKET/KEY` names, or return None if `known_version` is still its ETag.

    The file stays until the next one is fetched. Needs the permission s3:GetObject on it, no other.
    """
    bucket, key = split(uri)
    condition = {"IfNoneMatch": known_version} if known_version else {}
    try:
        answer = client().get_object(Bucket=bucket, Key=key, **condition)
        etag, size = answer["ETag"], answer["ContentLength"]
        with closing(answer["Body"]) as body:
            if size > LARGEST:
                raise SourceError(
                    f"{uri} has {size:,} bytes, more than {LARGEST:,}: upload a model that is smaller."
                )
            path = _keep(body)
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        if code_of(error) == "304":  # not modified
            return None
        raise SourceError(f"{uri} cannot be read: {advice(error)}.") from None
    except OSError as error:
        raise SourceError(f"{uri} cannot be kept on this disk: {error.strerror}.") from None
    version = answer.get("VersionId", "null")  # null: the bucket keeps no versions
    return Fetched(path, etag, {"version": version} if version != "null" else {})


def split(uri: str) -> tuple[str, str]:
    """Return the bucket and the key of a file in S3. Raises `SourceError`."""
    match = re.fullmatch(r"(?i:s3)://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*[^/])", uri)
    if not match or not uri.isprintable():
        raise SourceError(
            f"{uri!r} names no file in S3: write s3://BUCKET/KEY, where BUCKET has 3 to 63 lower-case "
            "letters, digits, dots or hyphens."
        )
    return match[1], match[2]


@cache
def client() -> Any:
    """Connect once, as the AWS_* variables say. A server that is away costs seconds, not minutes."""
    retries: Any = {"total_max_attempts": 2, "mode": "standard"}
    config = Config(connect_timeout=3, read_timeout=10, retries=retries)
    return boto3.Session().client("s3", config=config)


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="model-")  # removed when Python ends in good order


def _keep(body: Any) -> Path:
    folder = Path(_folder().name)
    folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have tidied up
    part = folder / "part"
    try:
        with part.open("wb") as file:
            for chunk in body.iter_chunks(2**20):  # at the end it checks length and checksum
                file.write(chunk)
        return part.replace(folder / "model.skops")
    finally:
        part.unlink(missing_ok=True)
