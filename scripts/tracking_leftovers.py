"""What stands of a stack, seen from the services themselves: so also what a removal has left."""

import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tracking_account import Account, SetupError, code_of
from tracking_password import kept, name_of
from tracking_prices import keeping

INFRA = Path(__file__).parents[1] / "infra"


def billed(account: Account, stack: str) -> list[str]:
    """Return what costs money by the hour and carries the stack's name, and its password."""
    ec2 = account.client("ec2")
    asked: Any = {"Filters": [{"Name": "tag:aws:cloudformation:stack-name", "Values": [stack]}]}
    machines = [
        f"machine {machine['InstanceId']}: {machine['State']['Name']}"
        for page in ec2.describe_instances(**asked)["Reservations"]
        for machine in page["Instances"]
        if machine["State"]["Name"] != "terminated"
    ]
    disks = [
        f"disk {disk['VolumeId']}: {disk['Size']} GB"
        for disk in ec2.describe_volumes(**asked)["Volumes"]
    ]
    addresses = [
        f"address {each['PublicIp']}" for each in ec2.describe_addresses(**asked)["Addresses"]
    ]
    name = name_of(stack)
    password = [f"password {name} in Parameter Store"] if kept(account, name) else []
    return machines + disks + addresses + password


def stored(account: Account, bucket: str) -> str:
    """Say what the bucket holds, old versions too, and what it costs; "" where there is no bucket."""
    pages = account.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
    try:
        sizes = [version["Size"] for page in pages for version in page.get("Versions", [])]
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return ""
        raise
    cost = keeping(sum(sizes))
    return f"{len(sizes):,} versions, {sum(sizes) / 1e6:,.1f} MB, ${cost:.2f} a month"


def removal(bucket: str) -> str:
    """Return the one command that removes a bucket, with all that it holds, for ever."""
    steps = f"b = boto3.resource('s3').Bucket('{bucket}'); b.object_versions.delete(); b.delete()"
    return f'python -c "import boto3; {steps}"'


def certificate_of(stack: str) -> Path:
    """Return where the certificate of a server without a domain is kept: public, to be committed."""
    return INFRA / f"{stack}-ca.pem"


def fetch_certificate(account: Account, uri: str, path: Path) -> None:
    """Fetch what clients trust a server without a domain by. Raises `SetupError`."""
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    try:
        content = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if code_of(error) != "NoSuchKey":
            raise
        raise SetupError(f"{uri} is not there: the machine did not come to make it.") from None
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def answers(uri: str, certificate: Path) -> str:
    """Say whether the server answers, and asks for a password, as a client that has none sees it."""
    trust = ssl.create_default_context()
    with suppress(OSError):
        trust.load_verify_locations(certificate)
    try:
        with urllib.request.urlopen(uri, timeout=10, context=trust):  # noqa: S310 - https of our own
            return "answers, and asks for NO password"
    except urllib.error.HTTPError as error:
        asks = error.code == 401
        return "answers, and asks for a password" if asks else f"answers with {error.code}"
    except (OSError, ValueError) as error:
        return f"does not answer ({getattr(error, 'reason', error)})"
