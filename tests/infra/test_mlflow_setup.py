"""`mlflow_setup.py` on AWS where all goes well: what it says, makes, changes and leaves."""

import ast
import base64
import gzip
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from aws_server import (
    ACCOUNT,
    CERTIFICATE,
    machine_comes_up,
    machine_notes,
    machine_would_boot_anew,
)
from setup_runs import ASKED, Setup

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


def test_plan_says_what_would_be_made_and_what_it_costs_and_makes_nothing(setup: Setup) -> None:
    said = setup("plan")
    assert (said.status, said.err) == (0, "")
    assert f"Account {ACCOUNT}, region eu-west-1, as\narn:aws:" in said.out
    assert f"Stack {setup.name}: not there yet" in said.out
    assert setup.bucket in said.out
    assert "443 is open to 0.0.0.0/0" in said.out
    costs = [float(x) for x in re.findall(r"\$ *(\d+\.\d\d)$", said.out, re.M)]
    assert costs == [16.64, 1.41, 3.65, 0.23, 21.93]
    assert "2026-11-25" in said.out
    assert said.out.count("https://aws.amazon.com/") == 4
    assert max(map(len, said.out.splitlines())) <= 80
    assert setup.stack() == {}
    buckets = setup.aws.client("s3").list_buckets()["Buckets"]
    assert setup.bucket not in [each["Name"] for each in buckets]


def test_plan_follows_its_options(setup: Setup) -> None:
    said = setup(
        *("plan", "--instance-type", "t3.medium", "--cidr", "192.0.2.0/24"),
        *("--domain", "mlflow.example.org", "--zone", "Z0123456789"),
        *("--repository", "reader@1001/reviews@2002"),
    )
    assert "t3.medium, $0.0456 an hour" in said.out
    assert "$ 38.58" in said.out
    assert "443 is open to 192.0.2.0/24" in said.out
    assert "mlflow.example.org" in said.out
    assert "reader/reviews may write models and data" in said.out


def test_up_makes_the_server_and_says_how_to_use_it(standing: Setup) -> None:
    out = standing.said[0]
    steps = [line.split()[1:] for line in out.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert steps == [
        ["mlflow", "CREATE_IN_PROGRESS"],
        ["Server", "CREATE_COMPLETE"],
        ["ServerReady", "CREATE_COMPLETE"],
        ["mlflow", "CREATE_COMPLETE"],
    ]
    assert standing.stack()["StackStatus"] == "CREATE_COMPLETE"
    uri = standing.output("TrackingUri")
    assert f"The server stands: {uri}\n" in out
    assert f"export MLFLOW_TRACKING_URI={uri} MLFLOW_TRACKING_USERNAME=mlflow" in out
    assert "aws ssm get-parameter --name /mlflow/password" in out
    assert "export MLFLOW_TRACKING_SERVER_CERT_PATH=infra/mlflow-ca.pem" in out
    assert (standing.folder / "infra" / "mlflow-ca.pem").read_bytes() == CERTIFICATE


def test_the_password_is_kept_encrypted_and_nowhere_else(standing: Setup) -> None:
    ssm, ec2, s3 = (standing.aws.client(service) for service in ("ssm", "ec2", "s3"))
    filters = [{"Key": "Name", "Option": "Equals", "Values": ["/mlflow/password"]}]
    (parameter,) = ssm.describe_parameters(ParameterFilters=filters)["Parameters"]
    assert parameter["Type"] == "SecureString"
    password = standing.password
    assert len(password) >= 40
    assert password not in repr(standing.stack())
    machine = standing.output("InstanceId")
    data = ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
    assert password not in base64.b64decode(data["UserData"]["Value"]).decode()
    held = s3.get_object(Bucket=standing.bucket, Key="setup/host.tar.gz")["Body"].read()
    assert password not in gzip.decompress(held).decode()


def test_the_machine_fetches_all_that_its_set_up_needs(standing: Setup, tmp_path: Path) -> None:
    """And no more than the scripts: Ubuntu's own Python, with boto3, runs them."""
    place = {"Bucket": standing.bucket, "Key": "setup/host.tar.gz"}
    packed = standing.aws.client("s3").get_object(**place)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(tmp_path, filter="data")
    infra = {path.name for path in (tmp_path / "infra").iterdir()}
    assert infra == {"mlflow-requirements.txt", "mlflow.service", "nginx.conf.template"}
    scripts = list((tmp_path / "scripts").iterdir())
    imported = set()
    for script in scripts:
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    there = {script.stem for script in scripts}
    assert "mlflow_setup" in there
    assert imported - sys.stdlib_module_names <= there | {"boto3", "botocore"}


def test_up_twice_says_that_it_stands(standing: Setup) -> None:
    password = standing.password
    said = standing("up")
    assert said.status == 0
    assert "Nothing has changed: template, parameters and scripts are as they stand." in said.out
    assert "The server stands: https://" in said.out
    assert standing.password == password


def test_status_says_what_stands_and_that_it_does_not_answer(standing: Setup) -> None:
    said = standing("status")
    assert said.status == 0
    assert "Stack mlflow: CREATE_COMPLETE" in said.out
    assert re.search(r"https://[\d.]+ does not answer \(.+\)", said.out)
    assert re.search(r"machine i-\w+: running", said.out)
    assert re.search(rf"bucket {standing.bucket}: 2 versions, [\d.]+ MB, \$0.00 a month", said.out)


def test_up_asks_and_a_no_makes_nothing(setup: Setup) -> None:
    said = setup("up", answer="no\n")
    assert (said.status, said.err) == (1, ASKED)
    assert "together" in said.out  # it had said what it costs
    assert setup.stack() == {}
    assert list(setup.passwords()) == []
    with machine_comes_up(setup.aws, setup.bucket):
        assert setup("up", answer="y\n").status == 0


def test_up_changes_the_stack_when_the_template_did(setup: Setup) -> None:
    setup.up()
    template = setup.folder / "infra" / "mlflow.yaml"
    text = template.read_text(encoding="utf-8").replace("NoHalfUploads", "NoHalfUploadsAtAll")
    template.write_text(text, encoding="utf-8")
    refused = setup("up")
    assert (refused.status, refused.err) == (1, ASKED)
    assert "  Modify Bucket\n" in refused.out
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"

    with machine_would_boot_anew():
        refused = setup("up", "--yes")
    assert refused.status == 1
    assert refused.err.startswith(
        "That changes what the machine does at its first boot: run `down`"
    )
    assert setup.stack()["StackStatus"] == "CREATE_COMPLETE"

    said = setup("up", "--yes")
    assert (said.status, said.err) == (0, "")
    assert "UPDATE_COMPLETE" in said.out
    assert setup.stack()["StackStatus"] == "UPDATE_COMPLETE"


def test_a_repository_gets_its_role_and_the_provider_that_the_account_has(setup: Setup) -> None:
    iam = setup.aws.client("iam")
    url = "https://token.actions.githubusercontent.com"
    provider = iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
    said = setup.up("--repository", "reader@1001/reviews@2002")
    role = re.escape(setup.output("GitHubRoleArn"))
    assert re.search(rf"The role of GitHub's workflows: {role}\n", said.out)
    values = {p["ParameterKey"]: p["ParameterValue"] for p in setup.stack()["Parameters"]}
    assert values["GitHubProviderArn"] == provider
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)


def test_new_scripts_and_a_new_password_are_taken_to_the_machine(setup: Setup) -> None:
    setup.up()
    with (setup.folder / "infra" / "nginx.conf.template").open("a") as block:
        block.write("# changed\n")
    said = setup("up")
    assert (said.status, said.err) == (0, "")
    assert "The scripts have changed. The machine takes them over:" in said.out
    assert setup.commands() == [["/usr/local/sbin/mlflow-host"]]

    former = setup.password
    said = setup("rotate-password", "--yes")
    assert (said.status, said.err) == (0, "")
    assert f"/{setup.name}/password is at version 2." in said.out
    assert "gh secret set" in said.out  # who uses it needs it again
    assert setup.password != former
    assert setup.commands() == [["/usr/local/sbin/mlflow-host"]] * 2


def test_down_backs_up_and_removes_all_but_the_bucket_which_the_next_up_takes(setup: Setup) -> None:
    setup.up()
    s3 = setup.aws.client("s3")
    s3.put_object(Bucket=setup.bucket, Key="mlflow/1/model", Body=b"x" * 1_000_000)

    with machine_notes() as noted:
        said = setup("down", "--yes")

    assert (said.status, said.err) == (0, "")
    assert noted == [["/usr/local/sbin/mlflow-backup"]]
    assert "DELETE_COMPLETE" in said.out
    assert setup.stack() == {}
    assert list(setup.passwords()) == []
    assert f"bucket {setup.bucket}: 3 versions, 1.0 MB, $0.00 a month" in said.out

    setup.make_private()
    again = setup.up()
    assert (again.status, again.err) == (0, "")
    assert "stands, used as it is" in again.out
    assert s3.get_object(Bucket=setup.bucket, Key="mlflow/1/model")["ContentLength"] == 1_000_000


def test_status_after_down_tells_the_command_that_leaves_nothing(setup: Setup) -> None:
    setup.up()
    setup("down", "--yes")
    said = setup("status")
    assert "Nothing else is left." in said.out
    command = said.out.splitlines()[-1]
    removed = subprocess.run(
        ["sh", "-c", command.replace("python", sys.executable, 1)],  # as a person would paste it
        env=setup.settings,
        capture_output=True,
        text=True,
    )
    assert (removed.returncode, removed.stderr) == (0, "")
    for last in (setup("status"), setup("down")):
        assert (last.status, last.err) == (0, "")
        assert f"Nothing is left of {setup.name} in eu-west-1, and nothing costs." in last.out
