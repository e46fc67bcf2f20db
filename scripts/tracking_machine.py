"""The machine of the stack: the scripts that it fetches from the bucket, and commands that it runs."""

import gzip
import hashlib
import io
import tarfile
import time
from pathlib import Path

from botocore.exceptions import ClientError

from tracking_account import Account, SetupError, code_of
from tracking_stack import PAUSE

PROJECT = Path(__file__).parents[1]
KEY = "setup/host.tar.gz"
APPLY = "/usr/local/sbin/mlflow-host"  # see infra/mlflow.yaml
BACKUP = "/usr/local/sbin/mlflow-backup"  # so too
SECONDS = 1200  # for a command: the first one installs MLflow
INFRA = ("mlflow-requirements.txt", "mlflow.service", "nginx.conf.template")


def archive() -> bytes:
    """Return what `host` needs, packed; the same bytes for the same files."""
    files = [PROJECT / "scripts" / "mlflow_setup.py", *(PROJECT / "infra" / name for name in INFRA)]
    files += sorted((PROJECT / "scripts").glob("tracking_*.py"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            try:
                content = file.read_bytes()
            except OSError as error:
                raise SetupError(f"{file} cannot be read: {error.strerror}.") from None
            member = tarfile.TarInfo(str(file.relative_to(PROJECT)))
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def send_scripts(account: Account, bucket: str) -> bool:
    """Upload what `host` needs unless it is there already; tell whether it was uploaded."""
    s3, place, content = account.client("s3"), {"Bucket": bucket, "Key": KEY}, archive()
    digest = hashlib.sha256(content).hexdigest()
    try:
        if s3.head_object(**place)["Metadata"].get("sha256") == digest:
            return False
    except ClientError as error:
        if code_of(error) not in ("404", "403", "NoSuchKey"):
            raise
    s3.put_object(**place, Body=content, Metadata={"sha256": digest})
    return True


def run(account: Account, instance: str, command: str) -> None:
    """Run a command as root on the machine, by way of Session Manager, and print what it said.

    Raises `SetupError` where it fails, with the last thing that it said.
    """
    ssm = account.client("ssm")
    try:
        sent = ssm.send_command(
            InstanceIds=[instance],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": [command], "executionTimeout": [str(SECONDS)]},
        )["Command"]["CommandId"]
    except ClientError as error:
        if code_of(error) != "InvalidInstanceId":
            raise
        raise SetupError(f"The machine {instance} does not report to Session Manager.") from None
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(PAUSE)
        try:
            done = ssm.get_command_invocation(CommandId=sent, InstanceId=instance)
        except ClientError as error:
            if code_of(error) == "InvocationDoesNotExist":  # it was just sent
                continue
            raise
        if done["Status"] == "Success":
            print(done["StandardOutputContent"], end="", flush=True)
            return
        if done["Status"] not in ("Pending", "InProgress", "Delayed"):
            said = (done["StandardErrorContent"] or done["StandardOutputContent"]).strip()
            last = said.splitlines()[-1] if said else done["Status"]
            raise SetupError(f"The machine could not do it: {last}")
    raise SetupError(f"The machine did not end `{command}` in {SECONDS} s: see {instance} itself.")
