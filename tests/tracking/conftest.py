"""One tracking server for all of these tests: nginx before MLflow, as the laptop has it, on free ports."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from served import BUCKET, PROFILE, Served
from trained import Trained, trained

from left_processes import descendants, left_since
from tests.tutorial.waiting import until
from tutorial import cloud
from tutorial.cloud import services
from tutorial.home import PROJECT, Home
from tutorial.tracking import record
from tutorial.tracking.installation import install

FOREIGN = ("AWS_", "GIT_", "HEROKU_", "MLFLOW_", "MODEL_", "XDG_")
ODD = "a reader's höme %s $x"  # what a person may call a folder


@pytest.fixture(autouse=True, scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody's settings, and no usual port: on this machine somebody may have a server of his own."""
    folder = tmp_path_factory.mktemp("person")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(FOREIGN):
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("TUTORIAL_HOME", str(folder / "none"))
        patch.setenv("NO_PROXY", "*")
        # Or boto3 looks for a role of this machine's.
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        for module in (services, record):
            for name in module.PORTS:
                patch.setitem(module.PORTS, name, 0)
        yield


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Fail the test that leaves a process behind, other than one of the server of all of them."""
    before = descendants(psutil.Process())
    yield
    left = lambda: {p for p in left_since(before) if not is_a_service(p)}  # noqa: E731
    until(lambda: not left(), "a process is left", 20)


def is_a_service(process: psutil.Process) -> bool:
    """Tell whether a process is the supervisor of a local cloud, or a service of its."""
    with contextlib.suppress(psutil.Error):
        return services.MARK in process.environ()
    return False


def workspace_of(home: Home) -> None:
    """Put into the workspace what milestone 4 does."""
    for pattern in ("scripts/mlflow_setup.py", "scripts/tracking_*.py", "infra/*"):
        for path in PROJECT.glob(pattern):
            target = home.workspace / path.relative_to(PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server: log runs of your own there, and leave it running."""
    root: Path = tmp_path_factory.mktemp("tracking") / ODD
    home = Home(root, root / "workspace")
    said: list[str] = []
    try:
        cloud.up(home, said.append)
        workspace_of(home)
        admin = cloud.profile_keys(home, "admin")
        s3 = cloud.client(home, "s3", *admin)
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": services.REGION}
        )
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        iam = cloud.client(home, "iam", *admin)
        iam.create_user(UserName=PROFILE)
        artifacts = (PROJECT / "infra" / "mlflow-artifacts.json").read_text("utf-8")
        document = artifacts.replace("BUCKET", BUCKET)
        iam.put_user_policy(UserName=PROFILE, PolicyName="artifacts", PolicyDocument=document)
        key = iam.create_access_key(UserName=PROFILE)["AccessKey"]
        cloud.keep_profile(home, PROFILE, key["AccessKeyId"], key["SecretAccessKey"])
        install(home, BUCKET, PROFILE, say=said.append)
        yield Served(home, said)
    finally:
        cloud.down(home)
    assert not Served(home, said).processes("")


@pytest.fixture(scope="session")
def trained_once(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(served, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def five(trained_once: Trained) -> Trained:
    """The same server with what milestone 5 leaves there: whatever you break, mend.

    Other tests have other objects at the same keys of the bucket.
    """
    trained_once.publish()
    return trained_once
