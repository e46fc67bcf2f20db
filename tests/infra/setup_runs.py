"""`mlflow_setup.py` as a person runs it: in a workspace, on an account of an AWS of this machine."""

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_server import ACCOUNT, AwsServer, machine_comes_up
from botocore.exceptions import ClientError

from tutorial.home import PROJECT

ASKED = "Nothing was changed: answer y, or give --yes.\n"


@dataclass(frozen=True)
class Said:
    """What a command left: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


@dataclass
class Setup:
    """A workspace with the script, and a name under which nothing stands in the account yet."""

    folder: Path
    aws: AwsServer
    name: str
    settings: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __call__(self, command: str, *arguments: str, answer: str = "", **settings: str) -> Said:
        script = self.folder / "scripts" / "mlflow_setup.py"
        nothing = str(self.folder / "nothing")
        env = {"AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing, "NO_PROXY": "*"}
        done = subprocess.run(
            [sys.executable, script, command, "--stack", self.name, *arguments],
            cwd=self.folder,
            env=env | self.settings | settings,
            input=answer,
            capture_output=True,
            text=True,
        )
        self.said += [done.stdout, done.stderr]
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def bucket(self) -> str:
        return f"{self.name}-{ACCOUNT}-eu-west-1"

    @property
    def password(self) -> str:
        return self.aws.password(f"/{self.name}/password")

    def up(self, *arguments: str) -> Said:
        with machine_comes_up(self.aws, self.bucket):
            return self("up", "--yes", *arguments)

    def stack(self) -> dict[str, Any]:
        """The stack as AWS describes it; nothing where there is none."""
        listed = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return next((dict(each) for each in listed if each["StackName"] == self.name), {})

    def output(self, name: str) -> str:
        outputs = self.stack()["Outputs"]
        return next(str(o["OutputValue"]) for o in outputs if o["OutputKey"] == name)

    def commands(self) -> list[list[str]]:
        """What the machine was sent, and every other that stood then: moto sends to all."""
        machine, sent = (
            self.output("InstanceId"),
            self.aws.client("ssm").list_commands()["Commands"],
        )
        return [c["Parameters"]["commands"] for c in sent if machine in c["InstanceIds"]]

    def passwords(self) -> Iterator[str]:
        """All versions of the password that are kept."""
        for version in itertools.count(1):
            try:
                yield self.aws.password(f"/{self.name}/password:{version}")
            except ClientError:
                return

    def make_private(self) -> None:
        """Set what the template sets of the bucket, and moto does not make of a template."""
        s3 = self.aws.client("s3")
        versioning = {"Status": "Enabled"}
        s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=versioning)
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        shut = dict.fromkeys(names, True)
        s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=shut)


def new_setup(folder: Path, server: AwsServer, name: str) -> Setup:
    (folder / "scripts").mkdir()
    for script in [
        PROJECT / "scripts" / "mlflow_setup.py",
        *(PROJECT / "scripts").glob("tracking_*"),
    ]:
        text = script.read_text(encoding="utf-8")
        # Nobody waits for a machine here.
        text = re.sub(r"^PAUSE = .*", "PAUSE = 0.05", text, flags=re.M)
        (folder / "scripts" / script.name).write_text(text, encoding="utf-8")
    (folder / "infra").mkdir()
    shutil.copy(PROJECT / "infra" / "mlflow.yaml", folder / "infra")
    for part in ("mlflow-requirements.txt", "mlflow.service", "nginx.conf.template"):
        (folder / "infra" / part).write_text(f"what stands for {part}\n", encoding="utf-8")
    return Setup(folder, server, name, server.environment())


def nothing_is_given_away(setup: Setup, passwords: list[str]) -> None:
    files = [file.read_bytes() for file in setup.folder.rglob("*") if file.is_file()]
    for password in passwords:
        assert not any(password in text for text in setup.said)
        assert not any(password.encode() in content for content in files)
