"""The keys to the local cloud: where they are kept, and the settings by which tools find it."""

import configparser
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from tutorial.cloud.services import REGION, Setting, folder_of, setting
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking.record import tracking

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

QUICK = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}, proxies={})
APP = "review-app"
ADMIN = "admin"
ANYTHING = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)


def credentials_file(home: Home) -> Path:
    """Return where AWS's tools find the keys of this home's users."""
    return folder_of(home) / "credentials"


def _profiles(home: Home) -> configparser.RawConfigParser:
    file = configparser.RawConfigParser()
    try:
        file.read(credentials_file(home), encoding="utf-8")
    except (configparser.Error, ValueError):
        raise TutorialError(
            f"{credentials_file(home)} is damaged: mend it, or remove it and run `tutorial up`."
        ) from None
    return file


def keep_profile(home: Home, profile: str, access_key: str, secret: str) -> None:
    """Keep a user's keys beside those of others; the file is for its owner's eyes only."""
    file = _profiles(home)
    file[profile] = {"aws_access_key_id": access_key, "aws_secret_access_key": secret}
    path = credentials_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    with part.open("w", encoding="utf-8") as text:
        file.write(text)
    part.replace(path)


def profile_keys(home: Home, profile: str) -> tuple[str, str]:
    """Return the access key and the secret of a profile; raises `TutorialError`."""
    file = _profiles(home)
    try:
        return file[profile]["aws_access_key_id"], file[profile]["aws_secret_access_key"]
    except KeyError:
        raise TutorialError(
            f"There are no keys of {profile} yet: run the cell that makes its user."
        ) from None


def client(home: Home, service: str, access_key: str, secret: str) -> Any:
    """Return a client of S3, IAM or STS here, which signs with these keys."""
    settings = environment(home)
    # A session of its own: boto3's default one is the reader's, and looks at their settings once. This
    # one looks at no profile, for a reader's own AWS_PROFILE may name one that is not here.
    own = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return boto3.Session(botocore_session=own).client(
        service,  # type: ignore[call-overload]
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=QUICK,
    )


def ensure_admin(home: Home, given: Setting) -> None:
    """Make the user whom the reader is: one who may do anything, and whose secret is checked."""
    if _is_known(home):
        return
    iam: IAMClient = client(home, "iam", given.root_key, "unchecked")
    if ADMIN not in [user["UserName"] for user in iam.list_users()["Users"]]:
        iam.create_user(UserName=ADMIN)
    iam.put_user_policy(UserName=ADMIN, PolicyName="anything", PolicyDocument=ANYTHING)
    # A key whose secret nobody kept is of no use, and a user may have but two.
    for former in iam.list_access_keys(UserName=ADMIN)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=ADMIN, AccessKeyId=former["AccessKeyId"])
    key = iam.create_access_key(UserName=ADMIN)["AccessKey"]
    keep_profile(home, ADMIN, key["AccessKeyId"], key["SecretAccessKey"])


def _is_known(home: Home) -> bool:
    """Tell whether the admin's keys are kept, and open the door: what S3 kept may have been removed."""
    if not _profiles(home).has_section(ADMIN):
        return False
    try:
        client(home, "sts", *profile_keys(home, ADMIN)).get_caller_identity()
    except ClientError:
        return False
    return True


def environment(home: Home) -> dict[str, str]:
    """Return what a reader's tools need in order to use the cloud; raises `TutorialError`."""
    given = setting(home)
    if given is None:
        raise TutorialError("The local cloud never was up here: run `tutorial up`.")
    server = tracking(home)
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{given.ports['s3']}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials_file(home)),
        "AWS_PROFILE": ADMIN,
        # Or boto3 looks for a role of this machine's, at an address that no laptop has.
        "AWS_EC2_METADATA_DISABLED": "true",
        "HEROKU_API_URL": f"http://127.0.0.1:{given.ports['heroku']}",
        "HEROKU_API_KEY": given.heroku_key,
        "HEROKU_APP_NAME": APP,
        **(server.environment() if server else {}),
    }
