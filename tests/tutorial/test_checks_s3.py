"""Milestone 2's check and exercises against the real S3 and IAM: what holds, and each item saying no."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tutorial import cloud as local_cloud
from tutorial.checks import CHECKS, Item, Probe
from tutorial.checks.s3 import bucket_and_key
from tutorial.cloud import client, keep_profile, profile_keys
from tutorial.deployed import DeployedApp
from tutorial.errors import TutorialError
from tutorial.exercises import one_key, undo_a_deletion
from tutorial.home import PROJECT, Home
from tutorial.serving import RunningApp

READS, PRIVATE, APP_KEYS, TRAINER_KEYS, NO_DEPLOY = CHECKS[2]
KEY = "models/sentiment.skops"
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def policy(name: str, bucket: str) -> str:
    text = (PROJECT / "infra" / f"{name}.json").read_text(encoding="utf-8")
    return text.replace("BUCKET", bucket)


@dataclass
class Bucket:
    """A bucket as milestone 2 leaves it, with an app that serves from it."""

    home: Home
    name: str
    admin: Any
    iam: Any
    app_keys: tuple[str, str]
    users: dict[str, str]

    def put(self, key: str, content: bytes) -> str:
        return str(self.admin.put_object(Bucket=self.name, Key=key, Body=content)["VersionId"])

    def probe(self, monkeypatch: pytest.MonkeyPatch, released: str, **card: Any) -> Probe:
        """A probe of an app that tells this card, released at that time."""
        current = self.admin.head_object(Bucket=self.name, Key=KEY)["VersionId"]
        told = {"uri": f"s3://{self.name}/{KEY}", "version": current} | card
        monkeypatch.setattr(RunningApp, "card", lambda app: told)
        probe = Probe(self.home, RunningApp("http://127.0.0.1:1", self.home))
        release = {"version": 5, "created_at": released}
        vars(probe)["deployed"] = DeployedApp("reviews", "", release, [])
        vars(probe)["platform"] = self
        return probe

    def config(self) -> dict[str, str]:
        """What the platform keeps for the app."""
        key, secret = self.app_keys
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


@pytest.fixture
def bucket(cloud: Home) -> Iterator[Bucket]:
    settings, keys = local_cloud.environment(cloud), profile_keys(cloud, "admin")
    iam = client(cloud, "iam", *keys)
    admin, name = client(cloud, "s3", *keys), f"reviews-{uuid4().hex[:8]}"
    where: Any = {"LocationConstraint": settings["AWS_DEFAULT_REGION"]}
    admin.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    block: Any = BLOCKED
    admin.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    made, users = {}, {}
    for user, rules in (("app", "app-reads"), ("trainer", "trainer-writes")):
        users[user] = f"{user}-{name}"
        iam.create_user(UserName=users[user])
        iam.put_user_policy(
            UserName=users[user], PolicyName="p", PolicyDocument=policy(rules, name)
        )
        key = iam.create_access_key(UserName=users[user])["AccessKey"]
        made[user] = (key["AccessKeyId"], key["SecretAccessKey"])
    keep_profile(cloud, "trainer", *made["trainer"])
    ready = Bucket(cloud, name, admin, iam, made["app"], users)
    for content in (b"old", b"new"):
        ready.put(KEY, content)
    ready.put("data/train.csv", b"review,sentiment,film\n")
    yield ready
    for user, (key_id, _) in made.items():
        iam.delete_access_key(UserName=users[user], AccessKeyId=key_id)
        iam.delete_user_policy(UserName=users[user], PolicyName="p")
        iam.delete_user(UserName=users[user])


EARLY, LATE = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"
ANYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
)


def says_no(item: Item, probe: Probe, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        item.probe(probe)


def test_a_bucket_as_the_notebook_makes_it_holds(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = bucket.probe(monkeypatch, EARLY)
    seen = [item.probe(probe) for item in CHECKS[2]]
    assert "2 versions" in seen[4]


def test_an_app_that_serves_an_older_version_is_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    says_no(READS, bucket.probe(monkeypatch, EARLY, version="v-old"), "v-old is served")


def test_an_app_that_serves_a_file_is_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    says_no(READS, bucket.probe(monkeypatch, EARLY, uri=KEY), "names no object in S3")


def test_a_model_that_is_gone_is_noticed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = bucket.probe(monkeypatch, EARLY)
    bucket.admin.delete_object(Bucket=bucket.name, Key=KEY)
    says_no(READS, probe, f"s3://{bucket.name}/{KEY}: 404")


def test_a_bucket_that_may_become_public_is_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    some: Any = BLOCKED | {"BlockPublicPolicy": False}
    bucket.admin.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=some)
    says_no(PRIVATE, bucket.probe(monkeypatch, EARLY), "is not blocked")
    bucket.admin.delete_public_access_block(Bucket=bucket.name)
    says_no(PRIVATE, bucket.probe(monkeypatch, EARLY), "is not blocked")


def test_keys_of_the_app_that_may_do_anything_are_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.iam.put_user_policy(
        UserName=bucket.users["app"], PolicyName="p", PolicyDocument=ANYTHING
    )
    says_no(APP_KEYS, bucket.probe(monkeypatch, EARLY), "The app's keys may put object")


def test_keys_of_the_app_that_may_do_nothing_are_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.iam.delete_user_policy(UserName=bucket.users["app"], PolicyName="p")
    try:
        says_no(APP_KEYS, bucket.probe(monkeypatch, EARLY), "cannot read the model: AccessDenied")
    finally:
        bucket.iam.put_user_policy(
            UserName=bucket.users["app"], PolicyName="p", PolicyDocument=ANYTHING
        )


def test_keys_of_the_trainer_that_may_destroy_are_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.iam.put_user_policy(
        UserName=bucket.users["trainer"], PolicyName="p", PolicyDocument=ANYTHING
    )
    says_no(TRAINER_KEYS, bucket.probe(monkeypatch, EARLY), "keys may delete object")


def test_a_model_that_came_with_the_release_is_noticed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    says_no(NO_DEPLOY, bucket.probe(monkeypatch, LATE), "uploaded before v5 was released")


# --- the exercises


def test_a_policy_for_one_key_solves_and_the_others_do_not(bucket: Bucket) -> None:
    given = policy("app-reads", bucket.name)
    assert "cannot" in one_key(bucket.home, given.replace("models/*", KEY), bucket.name)
    for wrong, words in (
        (given, "can read models/half.skops, too"),
        (given.replace("models/*", "data/*"), "the app must"),
        ("{", "not JSON"),
    ):
        with pytest.raises(TutorialError, match=words):
            one_key(bucket.home, wrong, bucket.name)
    left = [user["UserName"] for user in bucket.iam.list_users()["Users"]]
    assert not [name for name in left if name.startswith("exercise-")]


def test_a_deletion_is_undone_by_taking_the_marker_away(bucket: Bucket) -> None:
    marker = bucket.admin.delete_object(Bucket=bucket.name, Key=KEY)["VersionId"]
    with pytest.raises(TutorialError, match="marker is on top"):
        undo_a_deletion(bucket.home, bucket.name)
    bucket.admin.delete_object(Bucket=bucket.name, Key=KEY, VersionId=marker)
    assert "is current again" in undo_a_deletion(bucket.home, bucket.name)


# --- addresses and keys


@pytest.mark.parametrize(
    "uri", ["", "models/sentiment.skops", "s3://", "s3://b", "s3://b/", "gs://b/k"]
)
def test_what_names_no_object_is_refused(uri: str) -> None:
    with pytest.raises(TutorialError, match="names no object in S3"):
        bucket_and_key(uri)


def test_keys_are_kept_for_their_owner_alone_beside_those_of_others(cloud: Home) -> None:
    path = local_cloud.environment(cloud)["AWS_SHARED_CREDENTIALS_FILE"]
    admin = profile_keys(cloud, "admin")
    keep_profile(cloud, "somebody", "AKIA0", "their secret%with a sign")
    assert profile_keys(cloud, "somebody") == ("AKIA0", "their secret%with a sign")
    assert profile_keys(cloud, "admin") == admin
    assert Path(path).stat().st_mode & 0o777 == 0o600
    with pytest.raises(TutorialError, match="no keys of nobody"):
        profile_keys(cloud, "nobody")
