"""Milestone 4's check and exercises against the real server: what holds, and each item saying no."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import BUCKET, PROFILE, Served, logged

from tutorial import cloud
from tutorial.checks import CHECKS, Item, Probe
from tutorial.errors import TutorialError
from tutorial.exercises import a_smaller_policy, rotate_the_password
from tutorial.home import PROJECT, Home
from tutorial.serving import RunningApp
from tutorial.tracking.installation import install
from tutorial.tracking.record import new_password

PASSWORD, FOREIGN, LARGE, KEYS, RUN = CHECKS[4]
TEMPLATE = "infra/nginx.conf.template"


def probe_of(home: Home) -> Probe:
    return Probe(home, RunningApp("http://127.0.0.1:1", home))


@contextlib.contextmanager
def block_with(served: Served, old: str, new: str) -> Iterator[None]:
    """Serve by a server block in which something is different."""
    template = served.home.workspace / TEMPLATE
    ours = template.read_text(encoding="utf-8")
    assert ours.count(old) == 1
    template.write_text(ours.replace(old, new), encoding="utf-8")
    try:
        install(served.home, BUCKET, PROFILE, say=served.said.append)
        yield
    finally:
        template.write_text(ours, encoding="utf-8")
        install(served.home, BUCKET, PROFILE, say=served.said.append)


def test_what_milestone_4_leaves_holds(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        logged(client, tmp_path, size=100)
    for item in CHECKS[4]:
        assert item.probe(probe_of(served.home))
    # What a check uploads, it takes away.
    assert not served.admin().list_objects_v2(Bucket=BUCKET, Prefix="mlflow/check")["KeyCount"]


@pytest.mark.parametrize(
    ("item", "old", "new", "seen"),
    [
        pytest.param(
            PASSWORD,
            'auth_basic "MLflow"',
            "auth_basic off",
            "Somebody without a password gets 200, not 401",
            id="no password is asked for",
        ),
        pytest.param(
            FOREIGN,
            "Host $http_host",
            'Host "@HOSTS@"',
            "A request with Host: elsewhere.example gets 200, not 403",
            id="any name will do",
        ),
        pytest.param(
            FOREIGN,
            'proxy_set_header Authorization "";',
            'proxy_set_header Authorization ""; proxy_set_header Origin "";',
            "A request with Origin: http://elsewhere.example gets 200, not 403",
            id="any page will do",
        ),
        pytest.param(
            LARGE,
            "client_max_body_size 2g;",
            "",
            "An artifact of 5 MB gets 413, not 200",
            id="nginx's own limit",
        ),
    ],
)
def test_a_door_that_is_not_as_it_should_be_is_seen(
    served: Served, item: Item, old: str, new: str, seen: str
) -> None:
    with block_with(served, old, new), pytest.raises(TutorialError, match=seen):
        item.probe(probe_of(served.home))
    assert item.probe(probe_of(served.home))


def test_keys_that_can_do_more_are_seen(served: Served) -> None:
    admin = cloud.profile_keys(served.home, "admin")
    iam = cloud.client(served.home, "iam", *admin)
    more = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [more]})
    served.admin().put_object(Bucket=BUCKET, Key="data/train.csv", Body=b"data")
    iam.put_user_policy(UserName=PROFILE, PolicyName="more", PolicyDocument=document)
    try:
        with pytest.raises(TutorialError, match="The server's keys may get object"):
            KEYS.probe(probe_of(served.home))
    finally:
        iam.delete_user_policy(UserName=PROFILE, PolicyName="more")
    assert KEYS.probe(probe_of(served.home))


def test_a_run_that_left_too_little_is_no_run(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("a file", encoding="utf-8")
    with served.client() as client:
        experiments = [e.experiment_id for e in client.search_experiments()]
        hidden = [run.info.run_id for run in client.search_runs(experiments)]
        for run_id in hidden:
            client.delete_run(run_id)
        try:
            ours = client.create_run(client.create_experiment("too little")).info.run_id
            for leave in (
                lambda: None,
                lambda: client.log_metric(ours, "accuracy", 0.9),
            ):
                leave()
                with pytest.raises(TutorialError, match="No run has left a metric and a file"):
                    RUN.probe(probe_of(served.home))
            client.log_artifact(ours, str(file))
            assert "1 files in the bucket" in RUN.probe(probe_of(served.home))
        finally:
            for run_id in hidden:
                client.restore_run(run_id)


def test_without_a_server_each_item_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "workspace")
    for item in CHECKS[4]:
        with pytest.raises(TutorialError, match="There is no tracking server here"):
            item.probe(probe_of(home))
    with pytest.raises(TutorialError, match=r"run lab\.tracking_server first"):
        rotate_the_password(home, "0", "old")


def test_a_rotated_password_is_told_from_one_that_is_not(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        run_id = logged(client, tmp_path, size=100)
    old = served.known.password
    with pytest.raises(TutorialError, match="The old password still opens the door"):
        rotate_the_password(served.home, run_id, old)
    install(served.home, BUCKET, PROFILE, new_password(), served.said.append)
    assert "refused (401)" in rotate_the_password(served.home, run_id, old)
    with pytest.raises(TutorialError, match="the run is not found"):
        rotate_the_password(served.home, "0" * 32, old)


ARTIFACTS = (PROJECT / "infra" / "mlflow-artifacts.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (ARTIFACTS, "it may delete_object below mlflow/"),
        (ARTIFACTS.replace('"s3:PutObject", ', ""), "the server may not put_object"),
        (ARTIFACTS.replace('"s3:GetObject", ', ""), "the server may not get_object"),
        (ARTIFACTS.replace("s3:ListBucket", "s3:ListTags"), "may not list_objects_v2"),
        (
            ARTIFACTS.replace('"s3:DeleteObject", ', "").replace("BUCKET/mlflow/*", "BUCKET/*"),
            "it may get_object below models/",
        ),
        ("{", "That is not JSON"),
    ],
    ids=["deletes", "no writing", "no reading", "no listing", "models too", "no JSON"],
)
def test_a_policy_that_is_too_large_or_too_small_gets_a_hint(
    served: Served, document: str, words: str
) -> None:
    served.admin().put_object(Bucket=BUCKET, Key="models/sentiment.skops", Body=b"a model")
    with pytest.raises(TutorialError, match=words):
        a_smaller_policy(served.home, document.replace("BUCKET", BUCKET), BUCKET)
    users = cloud.client(served.home, "iam", *cloud.profile_keys(served.home, "admin"))
    names = [user["UserName"] for user in users.list_users()["Users"]]
    assert not [name for name in names if name.startswith("exercise-")]


def test_a_policy_without_deletion_is_small_enough(served: Served) -> None:
    document = ARTIFACTS.replace('"s3:DeleteObject", ', "").replace("BUCKET", BUCKET)
    assert "nothing can be deleted" in a_smaller_policy(served.home, document, BUCKET)
