"""Milestone 2: the app reads a versioned, private bucket with keys that can do nothing else."""

from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from tutorial import cloud
from tutorial.checks.items import Item, Probe
from tutorial.errors import TutorialError


def bucket_and_key(uri: str, setting: str = "MODEL_URI") -> tuple[str, str]:
    """Split s3://BUCKET/KEY; raises `TutorialError`, which names the setting, for any other address."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise TutorialError(f"{setting} is {uri or 'not set'}, which names no object in S3.")
    return bucket, key


def seen_by(probe: Probe, profile: str) -> Any:
    """Return a client of S3 with the keys of a profile."""
    return cloud.client(probe.home, "s3", *cloud.profile_keys(probe.home, profile))


def place_of(probe: Probe) -> tuple[str, str]:
    """Return bucket and key of the model that the app serves."""
    return bucket_and_key(str(probe.app.card().get("uri")))


def asked(client: Any, operation: str, **arguments: Any) -> str:
    """Return the error code that an operation gives, "" where it is allowed."""
    try:
        getattr(client, operation)(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except BotoCoreError as error:
        raise TutorialError(
            f"S3 does not answer ({type(error).__name__}): run `tutorial up`."
        ) from None
    return ""


def must_be_denied(client: Any, whose: str, operation: str, **arguments: Any) -> None:
    """Raise `TutorialError` unless the operation is refused for want of permission."""
    code = asked(client, operation, **arguments)
    if code not in ("AccessDenied", "403"):
        raise TutorialError(f"{whose} may {operation.replace('_', ' ')} ({code or 'it did'}).")


def the_app_reads_the_bucket(probe: Probe) -> str:
    """The card names an S3 object, and the version that is current in the bucket."""
    bucket, key = place_of(probe)
    admin = seen_by(probe, "admin")
    try:
        current = admin.head_object(Bucket=bucket, Key=key).get("VersionId")
    except ClientError as error:
        raise TutorialError(f"s3://{bucket}/{key}: {error.response['Error']['Code']}.") from None
    card = probe.app.card()
    if current in (None, "null"):
        raise TutorialError(f"The bucket {bucket} keeps no versions.")
    if card.get("version") != current:
        raise TutorialError(f"Version {card.get('version')} is served, {current} is current.")
    return f"version {current} of s3://{bucket}/{key}"


def the_bucket_is_private(probe: Probe) -> str:
    """Public access is blocked, and somebody without keys gets nothing."""
    bucket, key = place_of(probe)
    admin = seen_by(probe, "admin")
    try:
        block = admin.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError:
        block = {}
    if len(block) != 4 or not all(block.values()):
        raise TutorialError(f"Public access to {bucket} is not blocked.")
    url = f"{cloud.environment(probe.home)['AWS_ENDPOINT_URL']}/{bucket}/{key}"
    status = requests.get(url, timeout=10).status_code
    if status != requests.codes.forbidden:
        raise TutorialError(f"Somebody without keys gets {status} from {bucket}.")
    return "all four public-access blocks are on; 403 without keys"


def the_apps_keys_can_only_read_models(probe: Probe) -> str:
    """The deployed app's own keys, taken from its config vars, cannot write, nor read the data."""
    bucket, key = place_of(probe)
    config = probe.platform.config()
    app = cloud.client(
        probe.home, "s3", config["AWS_ACCESS_KEY_ID"], config["AWS_SECRET_ACCESS_KEY"]
    )
    whose = "The app's keys"
    if code := asked(app, "get_object", Bucket=bucket, Key=key):
        raise TutorialError(f"{whose} cannot read the model: {code}.")
    must_be_denied(app, whose, "put_object", Bucket=bucket, Key="models/check", Body=b"")
    must_be_denied(app, whose, "get_object", Bucket=bucket, Key="data/train.csv")
    must_be_denied(app, whose, "delete_object", Bucket=bucket, Key="models/check")
    return "reads the model; no writing, no deleting, no data"


def the_trainers_keys_can_publish_and_not_destroy(probe: Probe) -> str:
    """The trainer's keys read data and cannot delete, nor change the bucket's settings."""
    bucket, _ = place_of(probe)
    trainer = seen_by(probe, "trainer")
    whose = "The trainer's keys"
    if code := asked(trainer, "head_object", Bucket=bucket, Key="data/train.csv"):
        raise TutorialError(f"{whose} cannot read data/train.csv: {code}.")
    must_be_denied(trainer, whose, "delete_object", Bucket=bucket, Key="models/check")
    must_be_denied(trainer, whose, "put_object", Bucket=bucket, Key="elsewhere", Body=b"")
    off = {"Status": "Suspended"}
    must_be_denied(
        trainer, whose, "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=off
    )
    return "reads and writes data and models; no deleting, no settings"


def a_new_model_needs_no_deploy(probe: Probe) -> str:
    """The version that is served was uploaded after the current release was made."""
    bucket, key = place_of(probe)
    admin = seen_by(probe, "admin")
    uploaded = admin.head_object(Bucket=bucket, Key=key)["LastModified"]
    release = probe.deployed.release
    # Times as both write them: to the second, in UTC.
    if f"{uploaded:%Y-%m-%dT%H:%M:%SZ}" < str(release["created_at"]):
        raise TutorialError(f"The model was uploaded before v{release['version']} was released.")
    versions = admin.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
    if len(versions) < 2:
        raise TutorialError("The bucket holds one version of the model only.")
    return (
        f"{len(versions)} versions; the current one is younger than release v{release['version']}"
    )


ITEMS = [
    Item(
        "The app serves the bucket's current version",
        "Look at MODEL_URI among the config vars, and at `problem` in GET /model.",
        the_app_reads_the_bucket,
    ),
    Item(
        "The bucket is private",
        "Run the cell that blocks public access again.",
        the_bucket_is_private,
    ),
    Item(
        "The app's keys can read models and nothing else",
        "Put the policy of infra/app-reads.json on the app's user, as the notebook does.",
        the_apps_keys_can_only_read_models,
    ),
    Item(
        "The trainer's keys can publish and not destroy",
        "Put the policy of infra/trainer-writes.json on the trainer, as the notebook does.",
        the_trainers_keys_can_publish_and_not_destroy,
    ),
    Item(
        "A new model went live with no deploy",
        "Train again with another parameter and upload the model.",
        a_new_model_needs_no_deploy,
    ),
]
